"""Jobs as values: ids, what the hosts say of them, how they ended. Nothing here touches the world."""
