package oauthtest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cut is where the connection ends.
type cut int

const (
	cutNever  cut = iota
	cutBefore     // any answer
	cutMiddle     // of the body
)

// Fault is one way to fail. The zero value is none.
type Fault struct {
	name         string
	unread       bool                           // strikes before the request is read, where that can be told
	actsFirst    bool                           // what was asked is done before anything else
	pause        func(ctx context.Context) bool // false: the client left meanwhile
	instead      func(x *exchange) answer       // answers without doing what was asked
	spoil        func(a *answer)                // changes the answer to what was done
	cut          cut
	cached       bool          // issues nothing new where there is something old
	trueLifetime time.Duration // of the token, whatever is announced; 0: as announced
}

// AfterActing lets the vendor do what was asked, issue and rotate, before the fault strikes: the answer is lost, and the client can't
// know it.
func AfterActing(f Fault) Fault {
	f.name += " after acting"
	f.unread = false
	f.actsFirst = true
	return f
}

// instead is a fault that answers without doing what was asked.
func instead(name string, reply func(x *exchange) answer) Fault {
	return Fault{name: name, instead: reply}
}

// spoiled is a fault that does what was asked and changes the answer. Refusals stay as they are.
func spoiled(name string, spoil func(a *answer)) Fault {
	return Fault{name: name, spoil: spoil}
}

// Status answers any status with any body, and does nothing.
func Status(status int, contentType, body string) Fault {
	return instead("status "+strconv.Itoa(status), func(*exchange) answer {
		return answer{status: status, contentType: contentType, body: body}
	})
}

// OAuthError refuses with an error code, in the vendor's form and with its status.
func OAuthError(code string) Fault {
	return instead(code, func(x *exchange) answer { return x.refusalAnswer(refuse(code, "refused by the script")) })
}

// RetryAfter makes the value of a Retry-After header (RFC 9110, section 10.2.3), and its pause in whole seconds. Nil: no header.
type RetryAfter func(now time.Time) (header string, seconds int)

// InSeconds is a pause in seconds.
func InSeconds(n int) RetryAfter {
	return func(time.Time) (string, int) { return strconv.Itoa(n), n }
}

// AtDate is the date that is d after the request, by the server's clock. It may lie in the past.
func AtDate(d time.Duration) RetryAfter {
	return func(now time.Time) (string, int) {
		return now.Add(d).UTC().Format(http.TimeFormat), int(d / time.Second)
	}
}

// Literally is any header value, for those that are neither.
func Literally(value string) RetryAfter {
	return func(time.Time) (string, int) { return value, 0 }
}

// TooManyRequests answers 429 as the vendor does; Genesys has no error member in it.
func TooManyRequests(after RetryAfter) Fault {
	return instead("too many requests", func(x *exchange) answer {
		header, seconds := after.at(x.server.now())
		a := x.dialect().throttle(seconds)
		if after != nil {
			a.set("Retry-After", header)
		}
		return a
	})
}

// Unavailable answers 503 with the page of a proxy whose backend is gone.
func Unavailable(after RetryAfter) Fault {
	return instead("unavailable", func(x *exchange) answer {
		a := answer{status: http.StatusServiceUnavailable, contentType: "text/html", body: page("503 Service Unavailable")}
		if header, _ := after.at(x.server.now()); after != nil {
			a.set("Retry-After", header)
		}
		return a
	})
}

func (after RetryAfter) at(now time.Time) (string, int) {
	if after == nil {
		return "", 0
	}
	return after(now)
}

// HTMLPage answers 200 with a page, as a captive portal or a login wall does.
func HTMLPage() Fault { return Status(http.StatusOK, "text/html; charset=utf-8", page("Sign in")) }

func page(title string) string {
	return fmt.Sprintf("<!DOCTYPE html>\n<html><head><title>%[1]s</title></head><body><h1>%[1]s</h1></body></html>\n", title)
}

// EmptyBody answers 200 with nothing in it.
func EmptyBody() Fault { return Status(http.StatusOK, "application/json", "") }

// ErrorWithStatus200 answers 200 with an error member in it.
func ErrorWithStatus200(code string) Fault {
	return Status(http.StatusOK, "application/json", compactJSON([]member{text("error", code)}))
}

// Redirect answers 301 to 308 with that location.
func Redirect(status int, location string) Fault {
	return instead("redirect", func(*exchange) answer {
		a := answer{status: status, contentType: "text/html", body: page("Moved")}
		a.set("Location", location)
		return a
	})
}

// EchoSecrets refuses with all that the client sent in the description: body and Authorization header, raw and decoded.
func EchoSecrets(code string) Fault {
	return instead("echoed secrets", func(x *exchange) answer {
		var echo strings.Builder
		echo.WriteString(x.body + " " + x.request.Header.Get("Authorization"))
		for _, name := range slices.Sorted(maps.Keys(x.form)) {
			echo.WriteString(" " + name + "=" + x.form.Get(name))
		}
		if basic, ok := decodeBasic(x.request.Header.Get("Authorization")); ok {
			echo.WriteString(" " + basic.id + ":" + basic.secret)
		}
		a := x.refusalAnswer(refuse(code, ""))
		a.put(text("error_description", echo.String())) // also where the vendor describes nothing
		return a
	})
}

// HugeBody acts, and answers JSON that is right but for its size in bytes.
func HugeBody(size int) Fault {
	return spoiled("huge body", func(a *answer) { a.put(text("padding", strings.Repeat("x", size))) })
}

// HalfJSON acts, and answers the first half of the body as if it were all.
func HalfJSON() Fault {
	return spoiled("half JSON", func(a *answer) {
		body := a.text()
		a.body, a.members = body[:len(body)/2], nil
	})
}

// ContentType acts, and calls the answer something else than JSON.
func ContentType(contentType string) Fault {
	return spoiled("content type", func(a *answer) { a.contentType = contentType })
}

// Prefixed acts, and puts something before the body, such as a byte-order mark.
func Prefixed(prefix string) Fault {
	return spoiled("prefix", func(a *answer) { a.body, a.members = prefix+a.text(), nil })
}

// Member acts, and replaces or adds one member of the answer; raw is its value as JSON.
func Member(name, raw string) Fault {
	return spoiled("member "+name, func(a *answer) { a.put(member{name, raw}) })
}

// WithoutMember acts, and leaves one member of the answer out.
func WithoutMember(name string) Fault {
	return spoiled("no member "+name, func(a *answer) { a.remove(name) })
}

// TrueLifetime acts, and lets the token die after that span, whatever was announced.
func TrueLifetime(lifetime time.Duration) Fault {
	return Fault{name: "wrong lifetime", trueLifetime: lifetime}
}

// CachedToken answers with the client's newest live token for the same scope once more, and with what is left of its life.
func CachedToken() Fault { return Fault{name: "cached token", cached: true} }

// Slow waits before it acts; the client may leave meanwhile. AfterActing(Slow(d)) acts, and waits before it answers.
func Slow(d time.Duration) Fault {
	return Fault{name: "slow", pause: func(ctx context.Context) bool {
		wait, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		<-wait.Done()
		return ctx.Err() == nil
	}}
}

// Held waits until the channel is closed before it acts; the client may leave meanwhile. It is Slow for tests that must not depend on
// time. A nil channel holds for ever.
func Held(release <-chan struct{}) Fault {
	return Fault{name: "held", pause: func(ctx context.Context) bool {
		select {
		case <-release:
			return true
		case <-ctx.Done():
			return false
		}
	}}
}

// HeldAndDropped waits until the channel is closed, and then drops the connection: an endpoint that hangs, for tests that must not depend
// on time. The vendor does nothing.
func HeldAndDropped(release <-chan struct{}) Fault {
	f := Held(release)
	f.name, f.cut = "held and dropped", cutBefore
	return f
}

// DropUnread drops the connection before the request's body is read, or after it where only the body tells whether it matches. The
// vendor does nothing.
func DropUnread() Fault { return Fault{name: "dropped before reading", unread: true, cut: cutBefore} }

// Drop reads the request and drops the connection. The vendor does nothing; AfterActing(Drop()) is the worst that can befall a
// refresh token.
func Drop() Fault { return Fault{name: "dropped", cut: cutBefore} }

// DropMidAnswer acts, and drops the connection in the middle of the answer's body.
func DropMidAnswer() Fault { return Fault{name: "dropped in the answer", cut: cutMiddle} }
