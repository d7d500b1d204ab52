"""The dbt project as assets: models of usage by received day, everything else as a whole, seeds apart."""
