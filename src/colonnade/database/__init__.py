"""Engine, unit of work, running a statement on the driver's own connection, one module per dialect, errors told apart."""
