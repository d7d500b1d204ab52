-- Issued invoices with what became of their money today: open, in dispute, given up as uncollectible or recovered after that.
{{ config(materialized='view') }}
with

open_amounts as (

    select * from {{ ref('int_credits__open_amounts') }}

),

disputed as (

    select distinct
        tenant_id,
        invoice_id
    from {{ ref('int_dunning__holds') }}
    where is_disputed and held_until is null

),

given_up as (

    select * from {{ ref('int_payments__write_offs') }}

),

recovered as (

    select
        tenant_id,
        invoice_id,
        sum(recovered_amount) as amount
    from {{ ref('int_payments__given_up') }}
    where recovered_amount <> 0
    group by tenant_id, invoice_id

)

select
    open_amounts.tenant_id,
    open_amounts.invoice_id,
    open_amounts.invoice_number,
    open_amounts.customer_id,
    open_amounts.currency,
    open_amounts.due_on,
    open_amounts.paid_amount,
    open_amounts.noted_amount,
    open_amounts.voided_amount,
    open_amounts.voided_at,
    open_amounts.tolerated_amount,
    open_amounts.withheld_amount,
    given_up.written_off_at,
    -- Of what was given up, what is still not paid.
    cast(case when given_up.invoice_id is null then 0 else least(given_up.amount, open_amounts.open_amount) end as decimal(20, 4)) as written_off_amount,
    cast(coalesce(recovered.amount, 0) as decimal(20, 4)) as recovered_amount,
    cast(
        case when given_up.invoice_id is null then open_amounts.open_amount else greatest(open_amounts.open_amount - given_up.amount, 0) end
        as decimal(20, 4)
    ) as open_amount,
    disputed.invoice_id is not null as is_disputed
from open_amounts
left join disputed
    on
        open_amounts.tenant_id = disputed.tenant_id
        and open_amounts.invoice_id = disputed.invoice_id
left join given_up
    on
        open_amounts.tenant_id = given_up.tenant_id
        and open_amounts.invoice_id = given_up.invoice_id
left join recovered
    on
        open_amounts.tenant_id = recovered.tenant_id
        and open_amounts.invoice_id = recovered.invoice_id
