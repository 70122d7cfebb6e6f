package gitops_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// runLua runs a script as Argo CD does (v3, util/lua): no library but package, base and table, and of os only date and time, which has to be
// required; one second; the object as a global. `argocd admin settings resource-overrides` judges the same objects in the cluster suite.
func runLua(tb testing.TB, script string, obj object) (any, error) {
	tb.Helper()
	return runLuaAt(tb, script, obj, noon)
}

// runLuaAt does so at a time.
func runLuaAt(tb testing.TB, script string, obj object, now time.Time) (any, error) {
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
	state.PreloadModule("os", clockAt(now))
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

// clockAt is the module os as far as scripts here need it, with Argo CD's peculiarity: a time that is given is shown in the local zone.
func clockAt(now time.Time) lua.LGFunction {
	const layout, goLayout = "%Y-%m-%dT%H:%M:%SZ", "2006-01-02T15:04:05Z"
	date := func(state *lua.LState) int {
		switch asked := state.CheckString(1); {
		case asked == "!"+layout && state.GetTop() == 1:
			state.Push(lua.LString(now.UTC().Format(goLayout)))
		case asked == layout && state.GetTop() == 2:
			state.Push(lua.LString(time.Unix(state.CheckInt64(2), 0).Format(goLayout)))
		case asked == "!*t" && state.GetTop() == 1:
			fields, utc := state.NewTable(), now.UTC()
			for name, value := range map[string]int{
				"year": utc.Year(), "month": int(utc.Month()), "day": utc.Day(), "hour": utc.Hour(), "min": utc.Minute(), "sec": utc.Second(),
			} {
				fields.RawSetString(name, lua.LNumber(value))
			}
			state.Push(fields)
		default:
			state.RaiseError("os.date(%q): neither RFC 3339 nor a table", asked)
		}
		return 1
	}
	instant := func(state *lua.LState) int {
		fields := state.CheckTable(1)
		field := func(name string) int { return int(lua.LVAsNumber(fields.RawGetString(name))) }
		local := time.Date(field("year"), time.Month(field("month")), field("day"), field("hour"), field("min"), field("sec"), 0, time.Local)
		state.Push(lua.LNumber(local.Unix()))
		return 1
	}
	return func(state *lua.LState) int {
		state.Push(state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{"date": date, "time": instant}))
		return 1
	}
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
