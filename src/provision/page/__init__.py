"""The fleet's report: one page for a browser, a page of Markdown, and a table for the terminal."""
