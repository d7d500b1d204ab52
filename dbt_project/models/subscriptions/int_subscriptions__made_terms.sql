-- What terms, periods and service spans were made from, taken down after they were: the marks of this build.
-- depends_on: {{ ref('int_proration__service_spans') }}
{{ config(tags=['marks']) }}
select * from {{ ref('int_subscriptions__terms_marks') }}
