-- The subscriptions whose billed terms, periods and service spans are made again in this build.
{{ config(tags=['marks']) }}
{{ changed_since_made('terms') }}
