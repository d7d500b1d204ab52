-- When it is judged anew what of an invoice may stay unpaid: whenever a payment, a note or a person's decision moved it, and when a payment on its
-- way, one of unknown fate or a dispute begins or ends, as long as which nothing is given up. Money that was sent back or lost is no reason to
-- give anything up, and money that names nothing asks for nothing that was. A tax is held to be kept until somebody says that its certificate
-- will not come; once it was certified in full it is settled for good.
with

shortfalls as (

    select * from {{ ref('int_payments__shortfalls') }}

),

named as (

    select
        payment_references.tenant_id,
        payment_references.payment_id,
        payment_references.invoice_id,
        payment_references.rule_no = 5 as names_nothing
    from {{ ref('int_payments__references') }} as payment_references
    inner join shortfalls
        on
            payment_references.tenant_id = shortfalls.tenant_id
            and payment_references.invoice_id = shortfalls.invoice_id
    where payment_references.problem is null
    union
    select
        decisions.tenant_id,
        decisions.payment_id,
        decisions.invoice_id,
        false as names_nothing
    from {{ ref('int_payments__decisions') }} as decisions
    inner join shortfalls
        on
            decisions.tenant_id = shortfalls.tenant_id
            and decisions.invoice_id = shortfalls.invoice_id
    where decisions.problem is null

),

holds as (

    select
        named.tenant_id,
        named.invoice_id,
        payment_states.recorded_at as held_from,
        {{ held_until('payment_states') }} as held_until
    from named
    inner join {{ ref('stg_ratehouse__payment_states') }} as payment_states
        on
            named.tenant_id = payment_states.tenant_id
            and named.payment_id = payment_states.payment_id
    where {{ holds_an_invoice('payment_states') }}
    union all
    select
        named.tenant_id,
        named.invoice_id,
        disputes.recorded_at as held_from,
        disputes.replaced_at as held_until
    from named
    inner join {{ ref('stg_ratehouse__dispute_states') }} as disputes
        on
            named.tenant_id = disputes.tenant_id
            and named.payment_id = disputes.payment_id
    where disputes.stage = 'open'

),

certificates as (

    select
        certificates.*,
        shortfalls.invoice_id,
        shortfalls.withholding_amount
    from {{ ref('stg_ratehouse__withholding_certificates') }} as certificates
    inner join shortfalls
        on
            certificates.tenant_id = shortfalls.tenant_id
            and certificates.invoice_number = shortfalls.invoice_number
            and certificates.currency = shortfalls.currency

),

instants as (

    select
        named.tenant_id,
        named.invoice_id,
        greatest(flows.flowed_at, invoices.issued_at) as judged_at,
        flows.amount < 0 or not named.names_nothing as is_asked_for
    from named
    inner join {{ ref('int_payments__flows') }} as flows
        on
            named.tenant_id = flows.tenant_id
            and named.payment_id = flows.payment_id
            and flows.source_type = 'payment'
    inner join {{ ref('stg_ratehouse__issued_invoices') }} as invoices
        on
            named.tenant_id = invoices.tenant_id
            and named.invoice_id = invoices.invoice_id
    union
    select
        decisions.tenant_id,
        decisions.invoice_id,
        decisions.decided_at as judged_at,
        true as is_asked_for
    from {{ ref('int_payments__decisions') }} as decisions
    where decisions.problem is null
    union
    select
        tenant_id,
        invoice_id,
        issued_at as judged_at,
        true as is_asked_for
    from {{ ref('stg_ratehouse__credit_note_uses') }}
    union
    select
        tenant_id,
        invoice_id,
        unnest([held_from, held_until]) as judged_at,
        true as is_asked_for
    from holds
    union
    select
        tenant_id,
        invoice_id,
        counts_from as judged_at,
        true as is_asked_for
    from certificates

),

-- What of the tax is proven by then, and whether somebody has given its proof up.
certified as (

    select
        instants.tenant_id,
        instants.invoice_id,
        instants.judged_at,
        instants.is_asked_for,
        coalesce(sum(certificates.amount) filter (where certificates.status = 'received'), 0) as certified_amount,
        coalesce(max_by(certificates.status, certificates.counts_from) = 'refused', false) as is_refused
    from (
        select
            tenant_id,
            invoice_id,
            judged_at,
            bool_or(is_asked_for) as is_asked_for
        from instants
        group by tenant_id, invoice_id, judged_at
    ) as instants
    left join certificates
        on
            instants.tenant_id = certificates.tenant_id
            and instants.invoice_id = certificates.invoice_id
            and instants.judged_at >= certificates.counts_from
    group by instants.tenant_id, instants.invoice_id, instants.judged_at, instants.is_asked_for

)

select
    certified.tenant_id,
    certified.invoice_id,
    certified.judged_at,
    certified.is_asked_for,
    shortfalls.tolerance_amount,
    shortfalls.withholding_amount,
    shortfalls.tolerance_amount > 0
    and {{ local_date('certified.judged_at', 'shortfalls.timezone') }} >= shortfalls.given_up_since
    and not exists (
        select 1
        from holds
        where
            holds.tenant_id = certified.tenant_id
            and holds.invoice_id = certified.invoice_id
            and certified.judged_at >= holds.held_from
            and certified.judged_at < coalesce(holds.held_until, timestamptz '9999-12-31 00:00:00+00')
    ) as is_tolerated,
    shortfalls.withholding_amount > 0 and not certified.is_refused as is_withheld,
    certified.certified_amount >= shortfalls.withholding_amount as is_certified
from certified
inner join shortfalls
    on
        certified.tenant_id = shortfalls.tenant_id
        and certified.invoice_id = shortfalls.invoice_id
where certified.judged_at is not null
