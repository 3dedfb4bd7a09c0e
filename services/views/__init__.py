"""From rows to the forms that programs outside Berth rely on. Reads only; the API calls them."""
