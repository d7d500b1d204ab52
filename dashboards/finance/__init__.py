"""The finance app: `streamlit run dashboards/finance/app.py`."""
