"""Storage on disk: SQLite, the ledger of orders, the reserve."""
