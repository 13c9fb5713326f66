"""When a schedule is due, and what systemd, cron and launchd are told of it; nothing here touches the machine."""
