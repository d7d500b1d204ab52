-- What is overdue by how far the ladder has come with it: the last step that fell due and was not released, or none yet.
with

overdue as (

    select
        customer_id,
        invoice_id,
        currency,
        open_amount,
        days_overdue,
        disputed
    from marts.receivables
    where tenant_id = $tenant and currency = $currency and open_amount > 0 and days_overdue > 0

),

taken as (

    select
        invoice_id,
        customer_id,
        step,
        action,
        due_at
    from marts.dunning_actions
    where
        tenant_id = $tenant and currency = $currency
        and status <> 'released' and action in ('remind', 'degrade', 'suspend', 'cancel', 'write_off') and due_at <= $as_of

),

followed as (

    select
        overdue.*,
        coalesce(taken.step, 0) as step,
        string_agg(distinct taken.action, ', ' order by taken.action) as actions,
        max(taken.due_at) as due_at
    from overdue
    left join taken
        on taken.invoice_id = overdue.invoice_id or (taken.invoice_id is null and taken.customer_id = overdue.customer_id)
    group by all

),

reached as (

    select *
    from followed
    qualify row_number() over (partition by invoice_id order by due_at desc nulls last, step desc) = 1

)

select
    step,
    actions,
    count(distinct customer_id) as customers,
    count(*) as invoices,
    sum(open_amount) as open_amount,
    coalesce(sum(open_amount) filter (where disputed), 0) as disputed_amount,
    max(days_overdue) as oldest_days
from reached
group by step, actions
order by step, actions nulls first
