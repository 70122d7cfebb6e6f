package actors

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Tally counts how a caller's calls went.
type Tally struct {
	Calls    int // all
	Accepted int
	Rejected int // the resource server refused the token
	Failed   int // nobody answered, or not as a resource server does
	// Reread counts the calls that were accepted only after the file was read once more, of a caller that keeps tokens in memory.
	Reread int
	Tokens int // how many tokens were used, one after the other
	Newest string
	// Rejections are the first of them.
	Rejections []Rejection
	// Failures are the kinds of failed calls.
	Failures map[string]int
}

// Rejection is a call that was refused.
type Rejection struct {
	At        time.Time
	Token     string // its fingerprint
	ExpiresAt string // as the file says
}

// uses notes which token a call bears, and tells whether it is another than before.
func (t *Tally) uses(token string) (fresh bool) {
	if token == t.Newest {
		return false
	}
	t.Newest = token
	t.Tokens++
	return true
}

func (t *Tally) accepts(reread bool) {
	t.Accepted++
	if reread {
		t.Reread++
	}
}

func (t *Tally) fails(kind string) {
	t.Failed++
	t.Failures[kind]++
}

func (t *Tally) rejects(r Rejection) {
	t.Rejected++
	const most = 20
	if len(t.Rejections) < most {
		t.Rejections = append(t.Rejections, r)
	}
}

// fingerprint tells tokens apart, and nothing else about them.
func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// book is a tally that a file keeps, since a caller is started anew when its node is.
type book struct {
	file string
	lock sync.Mutex
	sum  Tally
}

func openBook(file string) (*book, error) {
	b := &book{file: file, sum: Tally{Failures: map[string]int{}}}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	} else if err != nil {
		return nil, err
	}
	return b, json.Unmarshal(content, &b.sum)
}

// note adds what a call brought, and saves the tally where the call was news, and now and then.
func (b *book) note(change func(*Tally) (news bool)) error {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.sum.Calls++
	const often = 10
	if !change(&b.sum) && b.sum.Calls%often != 0 {
		return nil
	}
	content, err := json.Marshal(b.sum)
	if err != nil {
		return err
	}
	return replace(b.file, content)
}

func (b *book) read() ([]byte, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return json.Marshal(b.sum)
}
