"""Dagster's launcher of runs as Jobs of Kubernetes, for deploy/kubernetes/. It needs `dagster-k8s`, which no lock of
the runtime has: nothing imports it but Dagster, where dagster.yaml names it."""

from dagster_k8s import K8sRunLauncher
from dagster_k8s.client import DagsterK8sAPIRetryLimitExceeded
from urllib3.exceptions import HTTPError

from soundcharts_pipeline.orchestration.leased_launcher import LeftToItsLease


class LeasedK8sRunLauncher(LeftToItsLease, K8sRunLauncher):
    """A run without a Job, and all runs while the cluster's API fails or is away, are left to their leases."""

    taker = "Kubernetes' API"
    away = (DagsterK8sAPIRetryLimitExceeded, HTTPError)
