package content

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// exampleView is a token with an answer that has members of every kind.
func exampleView() templateView {
	return templateView{
		AccessToken: "at-1", TokenType: "Bearer", Authorization: "Bearer at-1", ExpiresAt: "2030-01-02T04:04:05Z",
		IssuedAt: "2030-01-02T03:04:05Z", Scope: "read write", IDToken: "id-1",
		Extra: map[string]any{
			"instance_url": "https://eu1.example.com", "count": json.Number("2000000000"), "odd": nil, "flag": true,
			"items": []any{"a", "b"}, "nested": map[string]any{"name": "n"}, "empty": []any{},
		},
	}
}

func TestTemplatesRenderWhatTheySay(t *testing.T) {
	for name, c := range map[string]struct{ template, want string }{
		"an empty template gives an empty value":           {"", ""},
		"a text stands as it is":                           {"a: {b}\n", "a: {b}\n"},
		"all of the token is there":                        {"{{.AccessToken}} {{.TokenType}} {{.Scope}} {{.IDToken}}", "at-1 Bearer read write id-1"},
		"the header is there":                              {"{{.Authorization}}", "Bearer at-1"},
		"times are RFC 3339":                               {"{{.IssuedAt}}/{{.ExpiresAt}}", "2030-01-02T03:04:05Z/2030-01-02T04:04:05Z"},
		"members of the answer have their names":           {"{{.Extra.instance_url}} {{.Extra.nested.name}} {{.Extra.count}}", "https://eu1.example.com n 2000000000"},
		"a list can be ranged over":                        {"{{range $i, $x := .Extra.items}}{{$i}}={{$x}};{{end}}", "0=a;1=b;"},
		"an empty list gives the else":                     {"{{range .Extra.empty}}x{{else}}none{{end}}", "none"},
		"a member can be asked for":                        {`{{if hasKey .Extra "nope"}}x{{else}}y{{end}}`, "y"},
		"with narrows the dot":                             {"{{with .Scope}}[{{.}}]{{end}}", "[read write]"},
		"variables hold values":                            {"{{$x := .AccessToken}}{{$x | upper}}", "AT-1"},
		"JSON is escaped":                                  {`{"t":{{.AccessToken | toJson}},"s":{{splitList " " .Scope | toJson}}}`, `{"t":"at-1","s":["read","write"]}`},
		"printf with a usual width":                        {`{{printf "%-6s|%03d" .AccessToken 7}}`, "at-1  |007"},
		"comparisons and logic are there":                  {`{{if and (eq .TokenType "Bearer") (not (empty .Scope))}}ok{{end}}`, "ok"},
		"a registry's login":                               {`{{dockerconfigjson "r.example.com" "u" .AccessToken}}`, `{"auths":{"r.example.com":{"username":"u","password":"at-1","auth":"dTphdC0x"}}}`},
		"a password with quotes in a registry's login":     {`{{dockerconfigjson "r" "u" "a\"b"}}`, `{"auths":{"r":{"username":"u","password":"a\"b","auth":"dTphImI="}}}`},
		"join puts a separator between":                    {`{{join "," (splitList " " .Scope)}}`, "read,write"},
		"replace puts a text between characters":           {`{{replace "" "." "aé"}}`, ".a.é."},
		"replace of what is not there changes nothing":     {`{{.AccessToken | replace "x" "y"}}`, "at-1"},
		"join of no list is the value":                     {`{{join "," .Scope}}`, "read write"},
		"join of a list of numbers":                        {`{{join "-" (list 1 2 3)}}`, "1-2-3"},
		"a missing member with a default":                  {`{{get .Extra "nope" | default "d"}}`, "d"},
		"comments and trimmed space":                       {"{{- /* c */ -}} a ", "a "},
		"a number of the answer by any verb of numbers":    {`{{printf "%d %6d %x %.1f %s %v %q" .Extra.count .Extra.count .Extra.count .Extra.count .Extra.count .Extra.count .Extra.count}}`, `2000000000 2000000000 77359400 2000000000.0 2000000000 2000000000 "2000000000"`},
		"a number with a fraction":                         {`{{with fromJson "{\"n\":1.50}"}}{{.n}} {{printf "%.1f %s" .n .n}}{{end}}`, "1.50 1.5 1.50"},
		"a number in JSON stands as it is written":         {`{{(fromJson "{\"id\":12345678}").id}} {{fromJson "12345678901234567890" | toJson}}`, "12345678 12345678901234567890"},
		"what looks so with what stands around it":         {`{{printf "%% %%%s %s" "!(x" "a"}}`, "% %!(x a"},
		"what looks like a fault of printf and is none":    {`{{printf "%s 5%%! %%!d(x)" "%!d(string=a)"}}`, "%!d(string=a) 5%! %!d(x)"},
		"lines of base64":                                  {`{{b64dec "YW\nJj\r\n"}}`, "abc"},
		"null is shown by the engine as it shows no value": {`{{with .Extra.odd}}x{{else}}none{{end}}`, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := renderTemplate("key", c.template, exampleView())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// calls has one use of each function that a template may call, with its result.
func calls() map[string]struct{ template, want string } {
	return map[string]struct{ template, want string }{
		"b64dec":           {`{{b64dec "YQ=="}}`, "a"},
		"b64enc":           {`{{b64enc .AccessToken}}`, "YXQtMQ=="},
		"contains":         {`{{contains "t-" .AccessToken}}`, "true"},
		"default":          {`{{default "x" ""}}`, "x"},
		"dict":             {`{{dict "a" 1 | toJson}}`, `{"a":1}`},
		"dockerconfigjson": {`{{dockerconfigjson "r" "u" "p"}}`, `{"auths":{"r":{"username":"u","password":"p","auth":"dTpw"}}}`},
		"empty":            {`{{empty .Scope}}`, "false"},
		"first":            {`{{first (list 1 2)}}`, "1"},
		"fromJson":         {`{{(fromJson "{\"a\":\"b\"}").a}}`, "b"},
		"get":              {`{{get .Extra "instance_url"}}`, "https://eu1.example.com"},
		"hasKey":           {`{{hasKey .Extra "flag"}}`, "true"},
		"hasPrefix":        {`{{hasPrefix "at" .AccessToken}}`, "true"},
		"hasSuffix":        {`{{hasSuffix "at" .AccessToken}}`, "false"},
		"html":             {`{{html "<a>"}}`, "&lt;a&gt;"},
		"join":             {`{{join "+" (list "a" "b")}}`, "a+b"},
		"js":               {`{{js "'"}}`, `\'`},
		"kindIs":           {`{{kindIs "string" .Scope}}`, "true"},
		"last":             {`{{last (list 1 2)}}`, "2"},
		"list":             {`{{list 1 "a"}}`, "[1 a]"},
		"lower":            {`{{lower "A"}}`, "a"},
		"print":            {`{{print 1 2 "a"}}`, "1 2a"},
		"printf":           {`{{printf "%s-%d" "a" 2}}`, "a-2"},
		"println":          {`{{println "a"}}`, "a\n"},
		"quote":            {`{{quote .AccessToken}}`, `"at-1"`},
		"replace":          {`{{replace "-" "+" "a-b-c"}}`, "a+b+c"},
		"rest":             {`{{rest (list 1 2 3)}}`, "[2 3]"},
		"sha256sum":        {`{{sha256sum "a"}}`, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
		"splitList":        {`{{splitList " " .Scope}}`, "[read write]"},
		"squote":           {`{{squote .AccessToken}}`, "'at-1'"},
		"substr":           {`{{substr 0 2 .AccessToken}}`, "at"},
		"ternary":          {`{{ternary "a" "b" true}}`, "a"},
		"toJson":           {`{{toJson .Extra.items}}`, `["a","b"]`},
		"toRawJson":        {`{{toRawJson "<"}}`, `"<"`},
		"toString":         {`{{toString 1}}`, "1"},
		"trim":             {`{{trim " a "}}`, "a"},
		"trimAll":          {`{{trimAll "$" "$a$"}}`, "a"},
		"trimPrefix":       {`{{trimPrefix "at-" .AccessToken}}`, "1"},
		"trimSuffix":       {`{{trimSuffix "-1" .AccessToken}}`, "at"},
		"trunc":            {`{{trunc 2 .AccessToken}}`, "at"},
		"upper":            {`{{upper "a"}}`, "A"},
		"urlquery":         {`{{urlquery "a b"}}`, "a+b"},
	}
}

func TestEveryFunctionOfTemplatesWorks(t *testing.T) {
	t.Parallel()
	var tested []string
	for name, c := range calls() {
		tested = append(tested, name)
		got, err := renderTemplate("key", c.template, exampleView())
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.template, got, err, c.want)
		}
	}
	var offered []string
	for name := range templateFunctions(&meter{}) {
		offered = append(offered, name)
	}
	slices.Sort(tested)
	slices.Sort(offered)
	if diff := cmp.Diff(offered, tested); diff != "" {
		t.Errorf("functions without a test, or tested and not there (-offered +tested):\n%s", diff)
	}
}

func TestFunctionsThatReadOutsideOrAllocateByArgumentAreNotThere(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`env "HOME"`, `expandenv "$HOME"`, `now`, `date "2006" 0`, `ago 0`, `uuidv4`, `randAlpha 5`, `randInt 1 2`, `shuffle "ab"`, `bcrypt "a"`,
		`htpasswd "a" "b"`, `genPrivateKey "rsa"`, `genCA "a" 1`, `derivePassword 1 "long" "a" "b" "c"`, `getHostByName "localhost"`,
		`until 200000000`, `untilStep 0 200000000 1`, `seq 200000000`, `repeat 200000000 "a"`, `indent 200000000 "a"`, `nindent 5 "a"`,
		`regexMatch "(a{500}){2}" "a"`, `regexReplaceAll "a" "a" "b"`, `toPrettyJson .`, `set .Extra "a" "b"`, `unset .Extra "flag"`,
		`osBase "a"`, `fail "x"`, `encryptAES "a" "b"`, `wrap 1 "a"`, `cat "a"`, `nospace "a"`, `merge .Extra .Extra`, `deepCopy .`,
	} {
		name, _, _ := strings.Cut(call, " ")
		_, err := renderTemplate("key", "{{"+call+"}}", exampleView())
		if err == nil || !strings.Contains(err.Error(), `function "`+name+`" not defined`) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// doubled is a template that doubles a value many times by a step, and then does something with it.
func doubled(start, step, use string, times int) string {
	return "{{$a := " + start + "}}" + strings.Repeat("{{$a = "+step+"}}", times) + use
}

func TestTemplatesThatCanNotBeRenderedFailInStableWords(t *testing.T) {
	view := exampleView()
	wide := make([]any, 500_000)
	for i := range wide {
		wide[i] = json.Number("1")
	}
	const refused = "template.data[key] uses define, template or block, or a range that is nested or not over a field: write it out"
	const tooMuch = "template.data[key] renders more than a Secret can hold"
	for name, c := range map[string]struct {
		template, want string
		extra          map[string]any
	}{
		"recursion by define":                           {template: `{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, want: refused},
		"recursion by a template of the key's own name": {template: `{{define "key"}}{{template "key"}}{{end}}`, want: refused},
		"recursion by calling itself":                   {template: `{{template "key" .}}`, want: refused},
		"a block":                                       {template: `{{block "b" .}}{{end}}`, want: refused},
		"a define that nobody calls":                    {template: `{{define "x"}}{{end}}a`, want: refused},
		"a range over an integer":                       {template: `{{range 200000000}}{{end}}`, want: refused},
		"a range over an integer in a variable":         {template: `{{$n := 200000000}}{{range $n}}{{end}}`, want: refused},
		"a range over a function's result":              {template: `{{range splitList "" .AccessToken}}{{end}}`, want: refused},
		"a nested range":                                {template: `{{range .Extra.items}}{{range $.Extra.items}}{{end}}{{end}}`, want: refused},
		"a nested range in with and if":                 {template: `{{range .Extra.items}}{{with 1}}{{if 1}}{{range .Extra.items}}{{end}}{{end}}{{end}}{{end}}`, want: refused},
		"a range in the else of with":                   {template: `{{with ""}}{{else}}{{range 5}}{{end}}{{end}}`, want: refused},
		"a range over a number of the answer":           {template: `{{range .Extra.count}}{{end}}`, want: "template.data[key] fails at \"key\" at <.Extra.count>"},
		"a range over a string":                         {template: `{{range .AccessToken}}{{end}}`, want: "template.data[key] fails at \"key\" at <.AccessToken>"},
		"a range while the answer holds a long list": {
			template: `{{range .Extra.items}}` + strings.Repeat("{{if .}}{{end}}", 900) + `{{end}}`, extra: map[string]any{"items": wide},
			want: "template.data[key] uses range, and the vendor's answer holds a list of more than 1000 entries: write out what is needed",
		},
		"a wide printf":                   {template: `{{printf "%999999999d" 1}}`, want: `template.data[key] fails at "key" at <printf "%999999999d" 1>`},
		"a precise printf":                {template: `{{printf "%.999999999f" 1.0}}`, want: `template.data[key] fails at "key" at <printf "%.999999999f" 1.0>`},
		"a printf with width by argument": {template: `{{printf "%*d" 999999999 1}}`, want: `template.data[key] fails at "key" at <printf "%*d" 999999999 1>`},
		"a printf that prints one argument again and again": {
			template: doubled(`.AccessToken`, `print $a $a`, `{{printf "`+strings.Repeat("%[1]s", 2000)+`" $a}}`, 18),
			want:     `template.data[key] fails at "key" at <printf "%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[1]s%[`,
		},
		"many wide printfs":                  {template: `{{$a := print ` + strings.Repeat(`(printf "%999d" 1) `, 500) + `}}` + strings.Repeat(`{{$a = print $a $a}}`, 10), want: tooMuch},
		"doubling by print":                  {template: doubled(`.AccessToken`, `print $a $a`, ``, 40), want: tooMuch},
		"doubling by list":                   {template: doubled(`list 1`, `list $a $a`, ``, 40), want: tooMuch},
		"doubling by dict":                   {template: doubled(`dict "a" 1`, `dict "a" $a "b" $a`, ``, 40), want: tooMuch},
		"doubling by with":                   {template: strings.Repeat(`{{with print . .}}`, 30) + strings.Repeat(`{{end}}`, 30), want: tooMuch},
		"growing by quote":                   {template: `{{$a := "\""}}` + strings.Repeat(`{{$a = quote $a}}`, 100), want: tooMuch},
		"growing by toJson":                  {template: `{{$a := "\""}}` + strings.Repeat(`{{$a = toJson $a}}`, 100), want: tooMuch},
		"a long separator of a join":         {template: doubled(`"aaaaaaaa"`, `print $a $a`, `{{join $a (splitList "" (trunc 4000 $a))}}`, 17), want: tooMuch},
		"a long text put in by replace":      {template: doubled(`"aaaaaaaa"`, `print $a $a`, `{{replace "a" $a (trunc 4000 $a)}}`, 17), want: tooMuch},
		"a long text put in everywhere":      {template: doubled(`"aaaaaaaa"`, `print $a $a`, `{{replace "" $a (trunc 4000 $a)}}`, 17), want: tooMuch},
		"searching a long text again":        {template: doubled(`"aaaaaaaa"`, `print $a $a`, strings.Repeat(`{{contains "b" $a}}`, 500), 17), want: tooMuch},
		"more output than a Secret":          {template: doubled(`"aaaaaaaa"`, `print $a $a`, `{{$a}}{{$a}}{{$a}}`, 16), want: tooMuch},
		"a loop that doubles":                {template: `{{$a := "a"}}{{range .Extra.items}}{{$a = print $a $a}}{{end}}`, extra: map[string]any{"items": wide[:1000]}, want: tooMuch},
		"a member that is not there":         {template: `{{.Extra.nope}}`, want: `template.data[key] uses "nope", which the vendor's answer does not hold`},
		"a member of what is no map":         {template: `{{.Extra.flag.deeper}}`, want: `template.data[key] fails at "key" at <.Extra.flag.deeper>`},
		"a field that does not exist":        {template: `{{.RefreshToken}}`, want: `template.data[key] fails at "key" at <.RefreshToken>`},
		"a function that panics":             {template: `{{substr 5 2 .AccessToken}}`, want: `template.data[key] fails at "key" at <substr 5 2 .AccessToken>`},
		"an index out of range":              {template: `{{index .Extra.items 99}}`, want: `template.data[key] fails at "key" at <index .Extra.items 99>`},
		"a comparison of unlike kinds":       {template: `{{lt .AccessToken 1}}`, want: `template.data[key] fails at "key" at <lt .AccessToken 1>`},
		"a call of a value":                  {template: `{{call .AccessToken}}`, want: `template.data[key] fails at "key" at <call .AccessToken>`},
		"no base64":                          {template: `{{b64dec .Scope}}`, want: `template.data[key] fails at "key" at <b64dec .Scope>`},
		"base64url":                          {template: `{{b64dec "a-_b"}}`, want: `template.data[key] fails at "key" at <b64dec "a-_b">`},
		"base64 without its padding":         {template: `{{b64dec "YQ"}}`, want: `template.data[key] fails at "key" at <b64dec "YQ">`},
		"no JSON":                            {template: `{{fromJson .Scope}}`, want: `template.data[key] fails at "key" at <fromJson .Scope>`},
		"JSON and something behind it":       {template: `{{fromJson "{} {}"}}`, want: `template.data[key] fails at "key" at <fromJson "{} {}">`},
		"what has no JSON":                   {template: `{{toJson 1i}}`, want: `template.data[key] fails at "key" at <toJson 1i>`},
		"a text printed as a number":         {template: `{{printf "%d" .Scope}}`, want: `template.data[key] fails at "key" at <printf "%d" .Scope>`},
		"a fraction as an integer":           {template: `{{printf "%d" (fromJson "1.5")}}`, want: `template.data[key] fails at "key" at <printf "%d" (fromJson "1.5")>`},
		"a percent sign before a line's end": {template: `{{printf "%s 100%\n" .AccessToken}}`, want: `template.data[key] fails at "key" at <printf "%s 100%\n" .AccessToken>`},
		"a printf with too few values":       {template: `{{printf "%s"}}`, want: `template.data[key] fails at "key" at <printf "%s">`},
		"a printf with too many values":      {template: `{{printf "a" 1}}`, want: `template.data[key] fails at "key" at <printf "a" 1>`},
		"a template that does not end":       {template: `{{if .Scope}}`, want: `template.data[key] is no valid template: key:1: unexpected EOF`},
		"an unknown function":                {template: `{{env "HOME"}}`, want: `template.data[key] is no valid template: key:1: function "env" not defined`},
	} {
		t.Run(name, func(t *testing.T) {
			// not parallel: it measures memory
			view := view
			if c.extra != nil {
				view.Extra = c.extra
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			started := time.Now()
			_, err := renderTemplate("key", c.template, view)
			elapsed := time.Since(started)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("it renders")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
				t.Errorf("it allocated %d MiB", used>>20)
			}
			if elapsed > 10*time.Second {
				t.Errorf("it took %s", elapsed)
			}
		})
	}
}

func TestFaultsOfTemplatesQuoteNoValue(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-value"
	view := templateView{
		AccessToken: secret, TokenType: secret, Authorization: secret, ExpiresAt: secret, IssuedAt: secret, Scope: secret, IDToken: secret,
		Extra: map[string]any{secret: secret, "v": secret, "list": []any{secret}, "map": map[string]any{"k": secret}, "n": json.Number("4711471147")},
	}
	for _, source := range []string{
		`{{range .AccessToken}}{{end}}`, `{{range .Extra.n}}{{end}}`, `{{.Extra.v.x}}`, `{{index .AccessToken .Scope}}`, `{{index .Extra.list .Scope}}`,
		`{{lt .AccessToken 1}}`, `{{call .AccessToken}}`, `{{fromJson .AccessToken}}`, `{{(fromJson .AccessToken).x}}`, `{{printf .AccessToken 1}}`,
		`{{substr 5 2 .AccessToken}}`, `{{slice .AccessToken 9 1}}`, `{{.Extra.map.nope}}`, `{{(index .Extra .Scope).nope}}`, `{{first .AccessToken}}`,
		`{{get .AccessToken "a"}}`, `{{trunc .AccessToken "a"}}`, `{{dict .AccessToken}}{{.Nope}}`, `{{b64dec .AccessToken}}`, `{{printf "%d" .AccessToken}}`, `{{printf "%t" .Extra.n}}`, `{{len .Extra.n | index .Extra.list}}`,
		`{{with .AccessToken}}{{.x}}{{end}}`, `{{eq .Extra.list .Extra.map}}`, `{{join .Extra.n .Extra.n | len | index .Extra.list}}`, `{{kindIs 1 .AccessToken}}`,
	} {
		_, err := renderTemplate("key", source, view)
		if err == nil {
			t.Errorf("%s renders", source)
		} else if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "4711471147") {
			t.Errorf("%s: the fault quotes a value: %v", source, err)
		}
	}
}

func TestATemplateRendersTheSameEveryTime(t *testing.T) {
	t.Parallel()
	for name, c := range calls() {
		first, err := renderTemplate("key", c.template, exampleView())
		for range 20 {
			again, againErr := renderTemplate("key", c.template, exampleView())
			if diff := cmp.Diff(first, again); diff != "" || (err == nil) != (againErr == nil) {
				t.Fatalf("%s: %s", name, diff)
			}
		}
	}
	const all = `{{toJson .}}{{.Extra}}{{range $k, $v := .Extra}}{{$k}}{{end}}{{dict "b" 1 "a" 2}}`
	first, err := renderTemplate("key", all, exampleView())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if again, _ := renderTemplate("key", all, exampleView()); string(again) != string(first) {
			t.Fatalf("got %s, then %s", first, again)
		}
	}
}

func TestAllKeysTogetherFitIntoASecret(t *testing.T) {
	t.Parallel()
	half := v1alpha1.TemplateSource(doubled(`"aaaaaaaa"`, `print $a $a`, `{{$a}}`, 16)) // 512 KiB
	for name, c := range map[string]struct {
		keys v1alpha1.DefaultKeys
		data map[string]v1alpha1.TemplateSource
		want string
	}{
		"exactly":                    {v1alpha1.DefaultKeysOmit, map[string]v1alpha1.TemplateSource{"a": half, "b": half}, ""},
		"a byte more":                {v1alpha1.DefaultKeysOmit, map[string]v1alpha1.TemplateSource{"a": half, "b": half, "c": "x"}, "c"},
		"with the default keys":      {v1alpha1.DefaultKeysInclude, map[string]v1alpha1.TemplateSource{"a": half, "b": half}, "a"},
		"in the place of a long one": {v1alpha1.DefaultKeysInclude, map[string]v1alpha1.TemplateSource{"scope": "x", "b": half}, ""},
	} {
		target := v1alpha1.Target{DefaultKeys: c.keys, Template: &v1alpha1.TargetTemplate{Data: c.data}}
		_, err := Render(target, Token{AccessToken: "at", TokenType: "Bearer", Scope: strings.Repeat("s", 600<<10)})
		got := ""
		if err != nil {
			got = err.Error()
		}
		want := "template.data[" + c.want + "] makes the Secret larger than it may be (1 MiB): shorten the templates"
		if c.want == "" {
			want = ""
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestRegistryCredentialsAreAJSONObject(t *testing.T) {
	t.Parallel()
	for source, good := range map[v1alpha1.TemplateSource]bool{
		`{{dockerconfigjson "r" "u" .AccessToken}}`: true,
		`{}`:                  true,
		`{{.AccessToken}}`:    false,
		`"{{.AccessToken}}"`:  false,
		`[]`:                  false,
		`{} {{.AccessToken}}`: false,
		``:                    false,
	} {
		for kind, good := range map[string]bool{"kubernetes.io/dockerconfigjson": good, "example.com/own": true} {
			_, err := Render(v1alpha1.Target{
				Type: kind, Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{".dockerconfigjson": source}},
			}, Token{AccessToken: "canary", TokenType: "Bearer"})
			if (err == nil) != good || err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%s of type %s: %v", source, kind, err)
			}
		}
	}
}

func TestWhichTemplatesNeedTheVendorsAnswer(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`{{.AccessToken}}`:                                       false,
		`{{.Extra.x}}`:                                           true,
		`{{if .Extra.x}}{{end}}`:                                 true,
		`{{if .Scope}}{{else}}{{.Extra.x}}{{end}}`:               true,
		`{{if .Scope}}{{else if hasKey .Extra "x"}}a{{end}}`:     true,
		`{{toJson .}}`:                                           true,
		`{{. | toJson}}`:                                         true,
		`{{.}}`:                                                  true,
		`{{$}}`:                                                  true,
		`{{$.Extra.x}}`:                                          true,
		`{{$.Scope}}`:                                            false,
		`{{$v := .}}{{$v.Scope}}`:                                true,
		`{{with .Scope}}{{.}}{{end}}`:                            false,
		`{{with .Scope}}{{$}}{{end}}`:                            true,
		`{{with .Scope}}{{$.Extra.x}}{{end}}`:                    true,
		`{{with .Scope}}{{else}}{{.}}{{end}}`:                    true,
		`{{with .}}{{.Extra.x}}{{end}}`:                          true,
		`{{range .Extra.items}}{{.}}{{end}}`:                     true,
		`{{(.).Extra}}`:                                          true,
		`{{printf "}" .}}`:                                       true,
		`{{get (dict "a" .Extra) "a"}}`:                          true,
		`{{printf "%s" (print .Extra.x)}}`:                       true,
		`Extra text, and {{"Extra"}} as a word`:                  false,
		`{{dockerconfigjson "r" "oauth2" .AccessToken}}`:         false,
		`{{"a. b $ "}}{{.AccessToken | trimPrefix "."}} . $ (.)`: false,
		``: false,
	} {
		target := v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"key": v1alpha1.TemplateSource(source)}}}
		if got := NeedsAnswer(target); got != want {
			t.Errorf("%s: got %t, want %t", source, got, want)
		}
	}
}

// FuzzTemplate shows that no template panics, runs for long or renders more than a Secret holds, and that one that is said not to need
// the vendor's answer renders the same without it.
func FuzzTemplate(f *testing.F) {
	for _, c := range calls() {
		f.Add(c.template)
	}
	f.Add(`{{range $i, $x := .Extra.items}}{{$i}}{{break}}{{end}}`)
	f.Add(`{{define "key"}}{{template "key"}}{{end}}`)
	f.Add(doubled(`.AccessToken`, `print $a $a`, `{{printf "%[1]s%[1]s" $a}}`, 20))
	f.Add(`{{with $x := .Extra.nested}}{{else with .}}{{end}}`)
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 16<<10 {
			return
		}
		started := time.Now()
		got, err := renderTemplate("key", source, exampleView())
		if elapsed := time.Since(started); elapsed > 20*time.Second {
			t.Errorf("it took %s", elapsed)
		}
		if len(got) > maxTemplateOutput || err != nil && strings.Contains(err.Error(), "at-1") && !strings.Contains(source, "at-1") {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		parsed, parseErr := parseTemplate("key", source)
		if err != nil || parseErr != nil || parsed.Tree == nil || usesExtra(parsed.Root) {
			return
		}
		poor := exampleView()
		poor.Extra = nil
		if again, err := renderTemplate("key", source, poor); err != nil || string(again) != string(got) {
			t.Errorf("without the answer it renders %q, %v, with it %q", again, err, got)
		}
	})
}
