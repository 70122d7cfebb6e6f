// Command play is a vendor to play with in a cluster: the scripted server of the tests as a process of its own, in plain HTTP. It issues
// tokens to the client play, whose secret is change-me, and has an API behind them at /resource.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func main() {
	address := flag.String("address", ":8080", "where to listen")
	lifetime := flag.Duration("lifetime", 5*time.Minute, "how long tokens live")
	flag.Parse()
	vendor := oauthtest.New(oauthtest.WithLifetime(*lifetime), oauthtest.WithHistory(100))
	vendor.Register(oauthtest.Client{
		Vendor: oauthtest.Generic, ID: "play", Secret: "change-me", Grants: []string{oauthtest.ClientCredentials}, Scopes: []string{"orders.read"},
	})
	server := &http.Server{Addr: *address, Handler: vendor, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
