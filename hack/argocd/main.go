// Command argocd writes config/argocd/argocd-cm.yaml, the settings by which Argo CD knows OAuthTokens, from the Lua files beside it. They
// lie as Argo CD's own customizations do: health.lua, actions/discovery.lua, actions/NAME/action.lua. It runs in the project's top folder.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

const folder = "config/argocd"

func main() {
	log.SetFlags(0)
	settings, err := render(folder)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "argocd-cm.yaml"), settings, 0o644) //nolint:gosec // part of the source
	}
	if err != nil {
		log.Fatal(err)
	}
}

// definition is an action in Argo CD's schema.
type definition struct {
	Name string `json:"name"`
	Lua  string `json:"action.lua"`
}

// render is the ConfigMap with the scripts of a folder.
func render(folder string) ([]byte, error) {
	health, err := os.ReadFile(filepath.Join(folder, "health.lua")) //nolint:gosec // a folder of this repository, named by a constant
	if err != nil {
		return nil, err
	}
	discovery, err := os.ReadFile(filepath.Join(folder, "actions", "discovery.lua")) //nolint:gosec // the same
	if err != nil {
		return nil, err
	}
	definitions, err := definitionsIn(filepath.Join(folder, "actions"))
	if err != nil {
		return nil, err
	}
	actions, err := yaml.Marshal(map[string]any{"discovery.lua": string(discovery), "definitions": definitions})
	if err != nil {
		return nil, err
	}
	settings, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "argocd-cm"},
		"data": map[string]string{
			"resource.customizations.health.tokensync.dev_OAuthToken":  string(health),
			"resource.customizations.actions.tokensync.dev_OAuthToken": string(actions),
		},
	})
	return append([]byte("# Generated from the Lua files beside it: make generate.\n"), settings...), err
}

// definitionsIn are the actions of a folder, in the order of their names.
func definitionsIn(folder string) ([]definition, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*", "action.lua"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w", folder, errors.New("no action.lua in any folder"))
	}
	definitions := make([]definition, 0, len(files))
	for _, file := range files {
		content, err := os.ReadFile(file) //nolint:gosec // a file of the project
		if err != nil {
			return nil, err
		}
		definitions = append(definitions, definition{Name: filepath.Base(filepath.Dir(file)), Lua: string(content)})
	}
	return definitions, nil
}
