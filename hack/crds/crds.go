//go:build tools

// Package crds pins the modules in which other projects publish CRDs: tests have our objects of their kinds judged by them.
package crds

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/versionutil"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
