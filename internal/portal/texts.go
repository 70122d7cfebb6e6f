package portal

import (
	"fmt"
	"path"
	"strings"

	xlanguage "golang.org/x/text/language"
	"sigs.k8s.io/yaml"
)

// language is all that is said, in one language: a file in texts/, named by its tag.
type language struct {
	tag   xlanguage.Tag
	texts map[string]string // with {1}, {2} … for values
}

// text fills values into a text. One that is missing shows its key, which a test excludes.
func (l *language) text(key string, values []string) string {
	text, ok := l.texts[key]
	if !ok {
		return key
	}
	pairs := make([]string, 0, 2*len(values))
	for i, value := range values {
		pairs = append(pairs, fmt.Sprintf("{%d}", i+1), isolated(value))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// isolated keeps the writing direction of a value from reaching the text around it (Unicode Standard Annex 9, FSI and PDI), and drops
// characters that would end that.
func isolated(value string) string {
	const first, pop = "\u2068", "\u2069"
	return first + strings.Map(func(r rune) rune {
		if r >= 0x2066 && r <= 0x2069 || r >= 0x202a && r <= 0x202e || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, value) + pop
}

// texts are the languages. The first is what those get who speak none of them.
type texts struct {
	languages []*language
	matcher   xlanguage.Matcher
}

// loadTexts reads the embedded files. It panics where one is not valid, which a test excludes.
func loadTexts() *texts {
	t := &texts{}
	var tags []xlanguage.Tag
	for _, name := range []string{"en", "fr"} {
		l := &language{tag: xlanguage.MustParse(name)}
		content, err := assets.ReadFile(path.Join("texts", name+".yaml"))
		if err == nil {
			err = yaml.UnmarshalStrict(content, &l.texts)
		}
		if err != nil {
			panic(fmt.Sprintf("the texts of language %s: %v", name, err))
		}
		t.languages, tags = append(t.languages, l), append(tags, l.tag)
	}
	t.matcher = xlanguage.NewMatcher(tags)
	return t
}

// choose finds the language that somebody reads best (RFC 9110, section 12.5.4).
func (t *texts) choose(accepted string) *language {
	wanted, _, err := xlanguage.ParseAcceptLanguage(accepted)
	if err != nil {
		return t.languages[0]
	}
	_, i, _ := t.matcher.Match(wanted...)
	return t.languages[i]
}

func (t *texts) has(key string) bool {
	_, ok := t.languages[0].texts[key]
	return ok
}
