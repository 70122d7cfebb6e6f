package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// surfer is somebody with a real browser.
type surfer struct {
	t   *testing.T
	ctx context.Context
}

// newSurfer starts a browser with no cookies. The judge's certificate is trusted.
func newSurfer(t *testing.T) *surfer {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && program == "" {
			program = found
		}
	}
	if program == "" {
		t.Fatal("there is no Chromium: install it (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.DisableGPU, chromedp.WSURLReadTimeout(harness.Patience))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	ctx, cancel := context.WithTimeout(ctx, 2*harness.Patience)
	t.Cleanup(cancel)
	s := &surfer{t: t, ctx: ctx}
	s.complainNever()
	return s
}

// complainNever fails the test where the browser reports a violation of the content security policy or a script's failure.
func (s *surfer) complainNever() {
	messages := chromedp.Console(s.ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return
			}
			if text := message.String(); message.IsException() || strings.Contains(text, "Content Security Policy") {
				s.t.Errorf("the browser complains: %s", text)
			}
		}
	}()
}

func (s *surfer) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatal(err)
	}
}

// goTo opens an address.
func (s *surfer) goTo(address string) {
	s.t.Helper()
	s.do(chromedp.Navigate(address))
}

// press clicks, and waits until the next page is there.
func (s *surfer) press(selector string) {
	s.t.Helper()
	if _, err := chromedp.Run(s.ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(chromedp.CSS(selector)))); err != nil {
		s.t.Fatal(err)
	}
}

// read evaluates an expression.
func read[T any](s *surfer, expression string) T {
	s.t.Helper()
	value, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

func (s *surfer) heading() string { return read[string](s, `document.querySelector("h1").textContent`) }

// awaitTone waits until the portal shows a page of a tone.
func (s *surfer) awaitTone(tone string) {
	s.t.Helper()
	harness.Eventually(s.t, func() string {
		shown, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`document.querySelector("main")?.className ?? location.href`))
		if err != nil || shown != tone {
			return fmt.Sprintf("the page is %q (%v), want %q", shown, err, tone)
		}
		return ""
	})
}

// signIn fills in the vendor's page.
func (s *surfer) signIn(name, password, decision string) {
	s.t.Helper()
	s.do(chromedp.SendKeys(chromedp.CSS(`input[name=username]`), name), chromedp.SendKeys(chromedp.CSS(`input[name=password]`), password))
	s.press(`button[value=` + decision + `]`)
}

// speak sets the language.
func (s *surfer) speak(language string) {
	s.t.Helper()
	if _, err := chromedp.Call(s.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
		Headers: network.Headers{"Accept-Language": language},
	}); err != nil {
		s.t.Fatal(err)
	}
}

// violation is what the accessibility checker found.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML string }
}

// check asks the accessibility checker about the present page.
func (s *surfer) check() []violation {
	s.t.Helper()
	checker, err := os.ReadFile(filepath.Join("node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		s.t.Fatal("there is no axe-core: run `npm ci` in test/browser (make e2e does)")
	}
	s.do(chromedp.Evaluate[chromedp.Void](string(checker)))
	found, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`axe.run().then(r => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatal(err)
	}
	var violations []violation
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		s.t.Fatal(err)
	}
	return violations
}

// inspect looks at the present page at both widths, light and dark: nothing is cut off, the checker finds nothing. Each is kept as a picture.
func (s *surfer) inspect(name string) {
	s.t.Helper()
	for _, width := range []int64{320, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			s.wear(width, scheme)
			if wide := read[int](s, `document.documentElement.scrollWidth`); wide > int(width) {
				s.t.Errorf("%s: at a width of %d the page is %d wide", name, width, wide)
			}
			for _, v := range s.check() {
				s.t.Errorf("%s, %d px, %s: %s: %s: %v", name, width, scheme, v.ID, v.Help, v.Nodes)
			}
			s.picture(fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
		}
	}
	s.wear(1280, "light")
}

// wear sets the width of the window and the colours that somebody prefers.
func (s *surfer) wear(width int64, scheme string) {
	s.t.Helper()
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		s.t.Fatal(err)
	}
	s.do(chromedp.EmulateViewport(width, 720))
}

func (s *surfer) picture(name string) {
	s.t.Helper()
	image, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll("screenshots", 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("screenshots", name), image, 0o644); err != nil {
		s.t.Fatal(err)
	}
}
