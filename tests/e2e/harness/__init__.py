"""Network namespaces, gateways, captures and snapshots for the tests."""
