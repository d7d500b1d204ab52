-- The subscriptions whose life is made again in this build.
{{ config(tags=['marks']) }}
{{ changed_since_made('lives') }}
