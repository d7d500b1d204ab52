-- What somebody should look at, as counts.
select
    (select count(*) from marts.rejected_rows where tenant_id = $tenant and not replayed) as rejected,
    (select count(*) from marts.reconciliation_items where tenant_id = $tenant and area = 'usage') as unpriced,
    (select coalesce(sum(not_billable), 0) from marts.usage_completeness where tenant_id = $tenant) as not_billable,
    (select coalesce(sum(skipped_values), 0) from marts.usage_completeness where tenant_id = $tenant) as skipped
