package controller

import (
	"fmt"
	"runtime"
)

// keepWordless, deferred, lets a panic go on, for controller-runtime to log it with its stack and to try again, but without what may quote a
// secret: the words of any panic but the runtime's own, such as an index out of range.
func keepWordless() {
	fault := recover()
	if fault == nil {
		return
	}
	if _, own := fault.(runtime.Error); own {
		panic(fault)
	}
	panic(fmt.Sprintf("a %T, whose text is not shown because it may quote a secret; the stack says where", fault))
}
