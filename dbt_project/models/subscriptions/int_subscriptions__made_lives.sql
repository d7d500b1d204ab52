-- What the lives were made from, taken down after they were: the marks of this build.
-- depends_on: {{ ref('int_subscriptions__cycles') }}
-- depends_on: {{ ref('int_subscriptions__timeline') }}
{{ config(tags=['marks']) }}
select * from {{ ref('int_subscriptions__lives_marks') }}
