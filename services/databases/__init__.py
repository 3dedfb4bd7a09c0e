"""The databases of deployments: allocated before the first instance, on servers of their own making."""
