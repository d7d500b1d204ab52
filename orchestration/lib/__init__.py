"""How definitions are built: names, partitions, nights, arguments of dbt, expectations."""
