package main

import (
	"github.com/spf13/pflag"

	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// trust is what the manager is told by its flags of the same names.
type trust struct {
	vendorsDir        string
	allowedHosts      []string
	insecureHTTPHosts []string
	allowLoopback     bool
	enableImplicit    bool
}

func addVendorsDir(flags *pflag.FlagSet, dir *string) {
	flags.StringVar(dir, "vendors-dir", "", "folder with further entries of the vendor catalogue, as the manager's flag of that name")
}

func (t *trust) addFlags(flags *pflag.FlagSet) {
	addVendorsDir(flags, &t.vendorsDir)
	flags.StringSliceVar(&t.allowedHosts, "allowed-hosts", nil, "hosts to which any credentials may be sent, as the manager's flag of that name")
	flags.StringSliceVar(&t.insecureHTTPHosts, "insecure-http-hosts", nil, "hosts to which plain http may be spoken, as the manager's flag of that name")
	flags.BoolVar(&t.allowLoopback, "allow-loopback", false, "let connections go to this machine, for tries of a vendor of your own")
	flags.BoolVar(&t.enableImplicit, "enable-implicit", false, "take the grant Implicit, as the manager's flag of that name")
}

// somePortal stands for the portal's address, which only the operator knows.
const somePortal = "https://portal.invalid"

// platform is what the manager makes of the same flags. Whether it serves the portal is not known here.
func (t *trust) platform() (declaration.Platform, error) {
	catalogue, err := oauth.LoadCatalogue(t.vendorsDir)
	return declaration.Platform{
		Catalogue: catalogue, AllowedHosts: t.allowedHosts, InsecureHTTPHosts: t.insecureHTTPHosts, EnableImplicit: t.enableImplicit,
		PortalURL: somePortal,
	}, err
}
