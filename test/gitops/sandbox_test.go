package gitops_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// runLua runs a script as Argo CD does (v3, util/lua): no library but package, base and table, and of os only date and time, which has to be
// required; one second; the object as a global. `argocd admin settings resource-overrides` judges the same objects in the cluster suite.
func runLua(tb testing.TB, script string, obj object) (any, error) {
	tb.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(library.open), Protect: true}, lua.LString(library.name)); err != nil {
			tb.Fatal(err)
		}
	}
	state.PreloadModule("os", clockAtNoon)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, obj))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	result := state.Get(-1)
	if result.Type() != lua.LTTable {
		return nil, fmt.Errorf("it returns a %s, and Argo CD wants a table", result.Type())
	}
	encoded, err := luajson.Encode(result)
	if err != nil {
		return nil, err
	}
	if string(encoded) == "[]" { // Lua has one kind of table
		return object{}, nil
	}
	return decodeAny(encoded)
}

// clockAtNoon is the module os as far as scripts here need it.
func clockAtNoon(state *lua.LState) int {
	state.Push(state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{"date": func(state *lua.LState) int {
		layout, known := strings.CutPrefix(state.CheckString(1), "!")
		if !known || layout != "%Y-%m-%dT%H:%M:%SZ" || state.GetTop() != 1 {
			state.RaiseError("os.date(%q): not UTC, or not RFC 3339", layout)
		}
		state.Push(lua.LString(noon.Format(time.RFC3339)))
		return 1
	}}))
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case float64:
		return lua.LNumber(v)
	case []any:
		list := state.NewTable()
		for _, item := range v {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

func TestTheSandboxIsNoLargerThanThatOfArgoCD(t *testing.T) {
	for name, script := range map[string]string{
		"no strings":         `return {x = string.format("%d", 1)}`,
		"no string methods":  `return {x = ("x"):upper()}`,
		"no mathematics":     `return {x = math.floor(1.5)}`,
		"no files":           `return {x = io.open("/etc/passwd")}`,
		"no os unasked":      `return {x = os.date("!%Y-%m-%dT%H:%M:%SZ")}`,
		"no environment":     `return {x = require("os").getenv("HOME")}`,
		"no end":             `while true do end`,
		"nothing but tables": `return "Healthy"`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := runLua(t, script, object{}); err == nil {
				t.Errorf("it gives %v", got)
			}
		})
	}
}
