-- The spans of a subscription that are billed, with the terms they are billed by: without the days of a suspension that is over and
-- was agreed to be free. One that was never paid for never began.
-- depends_on: {{ ref('int_subscriptions__changed_terms') }}
{{ config(materialized='by_subscription', changes='terms') }}
with

billed as (

    select timeline.*
    from {{ ref('int_subscriptions__timeline') }} as timeline
    left join {{ ref('int_subscriptions__activations') }} as activations
        on
            timeline.tenant_id = activations.tenant_id
            and timeline.subscription_id = activations.subscription_id
    where
        timeline.billing in ('on', 'bill_and_hold')
        and coalesce(activations.lifecycle <> 'expired_activation', true)

),

-- Until it is released a suspension changes nothing that is billed.
suspensions as (

    select
        tenant_id,
        subscription_id,
        starts_on,
        ends_on
    from {{ ref('int_dunning__suspensions') }}
    where is_credited and ends_on is not null

),

-- A span is cut where a suspension ends inside it; each part reaches to the start of the next one.
cuts as (

    select
        billed.*,
        cast(null as date) as resumes_on
    from billed
    union all
    select
        billed.*,
        suspensions.ends_on as resumes_on
    from billed
    inner join suspensions
        on
            billed.tenant_id = suspensions.tenant_id
            and billed.subscription_id = suspensions.subscription_id
            and billed.starts_on < suspensions.ends_on
            and suspensions.ends_on < coalesce(billed.ends_on, date '9999-12-31')

),

parts as (

    select
        cuts.* exclude (resumes_on) replace (
            coalesce(cuts.resumes_on, cuts.starts_on) as starts_on,
            case when cuts.resumes_on is null then cuts.starts_at else {{ start_of_day('cuts.resumes_on', 'cuts.timezone') }} end as starts_at
        ),
        min(suspensions.starts_on) as stops_on
    from cuts
    left join suspensions
        on
            cuts.tenant_id = suspensions.tenant_id
            and cuts.subscription_id = suspensions.subscription_id
            and suspensions.ends_on > coalesce(cuts.resumes_on, cuts.starts_on)
            and suspensions.starts_on < coalesce(cuts.ends_on, date '9999-12-31')
    group by all

),

stopped as (

    select
        * exclude (stops_on) replace (
            least(ends_on, stops_on) as ends_on,
            case when stops_on is null then ends_at else least(ends_at, {{ start_of_day('stops_on', 'timezone') }}) end as ends_at
        )
    from parts
    where stops_on is null or stops_on > starts_on

)

select * replace (row_number() over (partition by tenant_id, subscription_id order by starts_at) as terms_no)
from stopped
