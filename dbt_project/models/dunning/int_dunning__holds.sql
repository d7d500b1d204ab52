-- When nothing is done about an invoice: while money for it is on its way or its fate unknown, until the day for which payment was
-- promised (a payment initiated for a later instant), and while a payment of it is disputed, when it is not held to be owed at all.
with

payment_states as (

    select * from {{ ref('stg_ratehouse__payment_states') }}

),

payment_references as (

    select * from {{ ref('int_payments__references') }}
    where problem is null and invoice_id is not null

),

applied as (

    select distinct
        tenant_id,
        payment_id,
        invoice_id
    from {{ ref('int_payments__postings') }}
    where kind = 'applied'

)

select
    payment_states.tenant_id,
    payment_references.invoice_id,
    payment_states.payment_id as source_id,
    payment_states.state_no,
    false as is_disputed,
    payment_states.recorded_at as held_from,
    {{ held_until('payment_states') }} as held_until
from payment_states
inner join payment_references
    on
        payment_states.tenant_id = payment_references.tenant_id
        and payment_states.payment_id = payment_references.payment_id
where {{ holds_an_invoice('payment_states') }}
union all
select
    disputes.tenant_id,
    applied.invoice_id,
    disputes.dispute_id as source_id,
    disputes.state_no,
    true as is_disputed,
    disputes.recorded_at as held_from,
    disputes.replaced_at as held_until
from {{ ref('stg_ratehouse__dispute_states') }} as disputes
inner join applied
    on
        disputes.tenant_id = applied.tenant_id
        and disputes.payment_id = applied.payment_id
where disputes.stage = 'open'
