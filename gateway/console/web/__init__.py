"""HTTP layer of the console's pages and API: connections, checks, headers, errors."""
