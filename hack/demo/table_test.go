package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// unpainted shows styles as words, which tests can read.
func unpainted(how style, text string) string {
	if text == "" {
		return ""
	}
	names := map[style]string{red: "red", yellow: "yellow", green: "green"}
	if name := names[how]; name != "" {
		return name + "(" + text + ")"
	}
	return text
}

func TestRowsOfOAuthTokens(t *testing.T) {
	ready := condition{status: "True", reason: "TokenIssued"}
	for behaviour, test := range map[string]struct {
		token tokenView
		want  string
	}{
		"one that is well": {
			tokenView{
				name: "api", vendor: "genesys-cloud", grant: "ClientCredentials", ready: ready,
				expiresAt: noon.Add(17400 * time.Millisecond), renewals: 2,
			},
			"api | green(True) | TokenIssued | in 17 s | 2× | genesys-cloud | ClientCredentials",
		},
		"while a token is served whose renewal fails, that is the reason shown": {
			tokenView{name: "api", ready: ready, failing: condition{status: "True", reason: "InvalidGrant"}, expiresAt: noon.Add(450 * 24 * time.Hour)},
			"api | green(True) | yellow(RenewalFailing) | in 450 d | 0× |  | ",
		},
		"an unattended one without a token is alarming": {
			tokenView{name: "api", grant: "Password", ready: condition{status: "False", reason: "TokenExpired"}, expiresAt: noon.Add(-time.Second)},
			"api | red(False) | TokenExpired | expired | 0× |  | Password",
		},
		"one that waits for a person is not": {
			tokenView{name: "api", grant: "AuthorizationCode", ready: condition{status: "False", reason: "InvalidSpec"}},
			"api | yellow(False) | InvalidSpec | – | – |  | AuthorizationCode",
		},
		"one that nobody has looked at yet": {
			tokenView{name: "api"},
			"api | – |  | – | – |  | ",
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			var cells []string
			for _, c := range tokenRow(test.token, noon) {
				cells = append(cells, unpainted(c.style, c.text))
			}
			if diff := cmp.Diff(test.want, strings.Join(cells, " | ")); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASecretIsShownWithoutValues(t *testing.T) {
	row := secretRow(secretView{name: "api-token", keys: []string{"access_token", "client.json"}})
	if diff := cmp.Diff("access_token=•••  client.json=•••", row[1].text); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestLayout(t *testing.T) {
	rows := [][]cell{
		{{"NAME", dim}, {"READY", dim}, {"REASON", dim}},
		{{"naïve", plain}, {"True", green}, {"TokenIssued", plain}},
	}
	var columns widths
	columns.fit(rows...)
	for behaviour, test := range map[string]struct {
		limit int
		want  []string
	}{
		"columns are aligned by characters, not by bytes or styles": {
			math.MaxInt, []string{"NAME   READY  REASON", "naïve  green(True)   TokenIssued"},
		},
		"what is too wide for the terminal is cut off, visibly": {
			18, []string{"NAME   READY  REA…", "naïve  green(True)   Tok…"},
		},
		"a terminal that ends in a gap":       {6, []string{"NAME", "naïve"}},
		"a terminal without any room":         {0, []string{"", ""}},
		"a terminal of one column":            {1, []string{"…", "…"}},
		"a terminal that is just wide enough": {25, []string{"NAME   READY  REASON", "naïve  green(True)   TokenIssued"}},
	} {
		t.Run(behaviour, func(t *testing.T) {
			var got []string
			for _, row := range rows {
				got = append(got, columns.line(row, test.limit, unpainted))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func TestColumnsOnlyGrow(t *testing.T) {
	var columns widths
	columns.fit([]cell{{"VendorUnavailable", plain}, {"x", plain}})
	columns.fit([]cell{{"TokenIssued", plain}, {"x", plain}})
	if diff := cmp.Diff(widths{len("VendorUnavailable"), 1}, columns); diff != "" {
		t.Errorf("widths (-want +got):\n%s", diff)
	}
}

func TestWrap(t *testing.T) {
	got := wrap("Correct the password in the\ncredentials-Secret  of it", 14)
	want := []string{"Correct the", "password in", "the", "credentials-Secret", "of it"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
