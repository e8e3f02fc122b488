"""PostgreSQL: the connection, the one write path, the backlog and the migrations."""
