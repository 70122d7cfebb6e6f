package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// play ADDRESS OUT COUNT LIFETIME
func main() {
	life, _ := time.ParseDuration(os.Args[4])
	count, _ := strconv.Atoi(os.Args[3])
	s := oauthtest.New(oauthtest.WithAddress(os.Args[1]), oauthtest.WithHosts("10.99.0.2", "127.0.0.1"), oauthtest.WithLifetime(life), oauthtest.WithHistory(10))
	if err := s.StartTLS(); err != nil {
		panic(err)
	}
	f, _ := os.Create(os.Args[2])
	for i := range count {
		fmt.Fprintf(f, `apiVersion: v1
kind: Secret
metadata: {name: orders-%[1]d-client, labels: {tokensync.dev/role: credentials}, annotations: {tokensync.dev/allowed-hosts: "%[2]s"}}
stringData: {client_id: warehouse, client_secret: change-me}
---
apiVersion: tokensync.dev/v1alpha1
kind: OAuthToken
metadata: {name: orders-%[1]d}
spec:
  vendor: generic
  grantType: ClientCredentials
  endpoints: {tokenURL: "%[3]s", revocationURL: "%[4]s"}
  parameters: {audience: "https://api.warehouse.example"}
  scopes: [orders.read]
  caBundle: %[5]s
  credentialsSecretRef: {name: orders-%[1]d-client}
  revokeOnDelete: true
---
`, i, s.Host(), s.TokenURL(oauthtest.Generic), s.RevocationURL(oauthtest.Generic), base64.StdEncoding.EncodeToString(s.CABundle()))
	}
	f.Close()
	fmt.Println("serving", s.URL())
	select {}
}
