package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// namespace is where the example manifests go.
	namespace = "demo"
	// ownNamespace is the operator's.
	ownNamespace = "tokensync-system"
	// serviceAccount is the one that config/default makes for the manager.
	serviceAccount = "tokensync-manager"
)

// cluster is etcd and kube-apiserver. No kubelet, scheduler or controller manager runs beside them.
type cluster struct {
	environment *envtest.Environment
	admin       *rest.Config
	kubeconfig  string // the administrator's file
	home        string // kubectl's cache goes there, and not to the user's own
}

// startCluster starts the control plane. It must be stopped also after an error.
func startCluster(assets, folder string) (*cluster, error) {
	existing := false // whatever the environment says: the demo never touches another cluster
	// The control plane's own temporary folders go with this one, whatever happens.
	if err := os.Setenv("TMPDIR", folder); err != nil {
		return nil, err
	}
	c := &cluster{
		environment: &envtest.Environment{BinaryAssetsDirectory: assets, UseExistingCluster: &existing},
		kubeconfig:  filepath.Join(folder, "kubeconfig"), home: folder,
	}
	admin, err := c.environment.Start()
	if err != nil {
		return c, fmt.Errorf("the control plane does not start: %w", err)
	}
	admin.QPS, admin.WarningHandler = -1, rest.NoWarnings{}
	c.admin = admin
	return c, writeKubeconfig(c.environment.KubeConfig, c.kubeconfig)
}

func (c *cluster) stop() error {
	if err := c.environment.Stop(); err != nil {
		return fmt.Errorf("the control plane does not stop: %w", err)
	}
	return nil
}

// managerKubeconfig writes a file for the manager's ServiceAccount, so that the manager has the rights that it has in a cluster, and no
// more.
func (c *cluster) managerKubeconfig(folder string) (string, error) {
	user, err := c.environment.AddUser(envtest.User{
		Name:   "system:serviceaccount:" + ownNamespace + ":" + serviceAccount,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + ownNamespace},
	}, c.admin)
	if err != nil {
		return "", fmt.Errorf("a user for the manager: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return "", fmt.Errorf("a kubeconfig for the manager: %w", err)
	}
	path := filepath.Join(folder, "manager.kubeconfig")
	return path, writeKubeconfig(content, path)
}

// writeKubeconfig stores a kubeconfig whose default namespace is that of the examples.
func writeKubeconfig(content []byte, path string) error {
	config, err := clientcmd.Load(content)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	for _, c := range config.Contexts {
		c.Namespace = namespace
	}
	return clientcmd.WriteToFile(*config, path)
}

// kubectlPath is the kubectl beside the control plane's binaries.
func (c *cluster) kubectlPath() string { return c.environment.ControlPlane.KubectlPath }

// kubectl runs kubectl as the administrator.
func (c *cluster) kubectl(ctx context.Context, arguments ...string) error {
	cmd := command(ctx, c.kubectlPath(), arguments...)
	cmd.Env = []string{"HOME=" + c.home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + c.kubeconfig}
	return runQuietly(ctx, cmd)
}
