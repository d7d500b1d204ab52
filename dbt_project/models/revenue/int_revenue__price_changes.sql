-- The transaction price as a list of changes, so that the price of any day is a sum: the fixed consideration, variable
-- components and their new estimates, modifications, credits and refunds that lower the price, and a cancellation.
-- `obligation_ids` null: shared by all of the price group; `epoch`: whose allocation it follows, that of its promise. With days, it belongs to the service of those days alone.
with

contracts as (

    select
        stated.*,
        contracts.minor_digits
    from {{ ref('int_revenue__stated_contracts') }} as stated
    inner join {{ ref('int_revenue__contracts') }} as contracts
        on
            stated.tenant_id = contracts.tenant_id
            and stated.contract_id = contracts.contract_id

),

events as (

    select
        events.*,
        contracts.minor_digits
    from {{ ref('stg_ratehouse__contract_events') }} as events
    inner join contracts
        on
            events.tenant_id = contracts.tenant_id
            and events.contract_id = contracts.contract_id

),

obligations as (

    select
        tenant_id,
        contract_id,
        telling,
        sum(price) as price
    from {{ ref('int_revenue__obligations') }}
    where price_group = 'contract'
    group by tenant_id, contract_id, telling

),

fixed as (

    select
        contracts.tenant_id,
        contracts.contract_id,
        'fixed' as kind,
        'contract' as price_group,
        contracts.signed_on as effective_on,
        contracts.recorded_at as learned_at,
        {{ to_minor('coalesce(contracts.consideration, obligations.price, 0)', 'contracts.minor_digits') }} as amount
    from contracts
    left join obligations
        on
            contracts.tenant_id = obligations.tenant_id
            and contracts.contract_id = obligations.contract_id
            and contracts.telling = obligations.telling

),

estimates as (

    select
        tenant_id,
        contract_id,
        '' as event_id,
        signed_on as effective_on,
        recorded_at,
        minor_digits,
        unnest({{ json_elements('variable') }}) as document
    from contracts
    union all
    select
        tenant_id,
        contract_id,
        event_id,
        effective_on,
        recorded_at,
        minor_digits,
        cast(data as json) as document
    from events
    where type = 'estimate'

),

-- A new estimate changes the price by its difference, for the obligations and days for which the component was promised.
variable as (

    select
        tenant_id,
        contract_id,
        'variable' as kind,
        'contract' as price_group,
        {{ json_text('document', 'variable_id') }} as variable_id,
        effective_on,
        recorded_at as learned_at,
        first_value(effective_on) over promises as promised_on,
        {{ to_minor('cast(coalesce(' ~ json_text('document', 'constrained') ~ ', ' ~ json_text('document', 'estimate') ~ ') as decimal(38, 12))', 'minor_digits') }} as included,
        included - coalesce(lag(included) over promises, 0) as amount,
        {{ json_texts(json_part('first_value(document) over promises', 'obligations')) }} as obligation_ids,
        cast({{ json_text('first_value(document) over promises', 'start') }} as date) as start_on,
        cast({{ json_text('first_value(document) over promises', 'end') }} as date) as end_on
    from estimates
    window promises as (partition by tenant_id, contract_id, {{ json_text('document', 'variable_id') }} order by effective_on, event_id)

),

modifications as (

    select
        tenant_id,
        contract_id,
        'modification' as kind,
        case when {{ json_text('data', 'treatment') }} = 'separate' then event_id else 'contract' end as price_group,
        effective_on,
        recorded_at as learned_at,
        {{ to_minor('cast(' ~ json_text('data', 'consideration_delta') ~ ' as decimal(38, 12))', 'minor_digits') }} as amount
    from events
    where type = 'modification'

),

reductions as (

    select
        tenant_id,
        contract_id,
        type as kind,
        'contract' as price_group,
        effective_on,
        recorded_at as learned_at,
        -1 * {{ to_minor('cast(' ~ json_text('data', 'amount') ~ ' as decimal(38, 12))', 'minor_digits') }} as amount,
        case when {{ json_text('data', 'obligation_id') }} is not null then [{{ json_text('data', 'obligation_id') }}] end as obligation_ids,
        cast({{ json_text('data', 'start') }} as date) as start_on,
        cast({{ json_text('data', 'end') }} as date) as end_on
    from events
    where
        type in ('credit', 'refund')
        and coalesce(cast({{ json_text('data', 'changes_price') }} as boolean), true)
        -- What settles a refund liability was taken off the price when it was estimated.
        and {{ json_text('data', 'variable_id') }} is null

),

changes as (

    select * from fixed
    union all by name
    select * exclude (included) from variable
    union all by name
    select * from modifications
    union all by name
    select * from reductions

),

-- What stays enforceable after a cancellation: as stated, else what has been billed less credits and refunds.
cancellations as (

    select
        events.tenant_id,
        events.contract_id,
        'cancellation' as kind,
        'contract' as price_group,
        events.effective_on,
        events.recorded_at as learned_at,
        coalesce(
            {{ to_minor('cast(' ~ json_text('events.data', 'consideration') ~ ' as decimal(38, 12))', 'events.minor_digits') }},
            (
                select coalesce(sum(case billing.type when 'billed' then 1 else -1 end * {{ to_minor('cast(' ~ json_text('billing.data', 'amount') ~ ' as decimal(38, 12))', 'billing.minor_digits') }}), 0)
                from events as billing
                where
                    billing.tenant_id = events.tenant_id
                    and billing.contract_id = events.contract_id
                    and billing.type in ('billed', 'credit', 'refund')
                    and billing.effective_on <= events.effective_on
            )
        )
        - (
            select sum(changes.amount)
            from changes
            where
                changes.tenant_id = events.tenant_id
                and changes.contract_id = events.contract_id
                and changes.effective_on <= events.effective_on
        ) as amount
    from events
    where events.type = 'cancelled'

)

select
    changes.* exclude (promised_on, learned_at),
    -- What is learned after its month was closed is in the books of the first open one.
    greatest(changes.effective_on, closes.opens_on) as posted_on,
    case when changes.price_group = 'contract' then epochs.epoch else 0 end as epoch,
    changes.start_on is not null as is_dated,
    row_number() over (
        partition by changes.tenant_id, changes.contract_id
        order by changes.effective_on, changes.kind, changes.variable_id, changes.obligation_ids, changes.start_on, changes.end_on, changes.amount
    ) as change_no
from (
    select * from changes
    union all by name
    select * from cancellations
) as changes
inner join {{ ref('int_revenue__epochs') }} as epochs
    on
        changes.tenant_id = epochs.tenant_id
        and changes.contract_id = epochs.contract_id
        and coalesce(changes.promised_on, changes.effective_on) >= epochs.starts_on
        and coalesce(changes.promised_on, changes.effective_on) < epochs.ends_before
left join {{ ref('int_revenue__closes') }} as closes
    on
        changes.tenant_id = closes.tenant_id
        and changes.learned_at > closes.learned_after
        and changes.learned_at <= closes.learned_until
