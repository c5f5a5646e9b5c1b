"""From a query string to SQL: parse -> plan -> compile. Pure: no await, no connection."""
