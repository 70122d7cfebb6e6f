package controller

import (
	"fmt"
	"runtime"
)

// keepWordless, deferred, lets a panic go on, for controller-runtime to log it with its stack and to try again, but without what may quote a
// secret.
func keepWordless() {
	if fault := recover(); fault != nil {
		panic(toldOf(fault))
	}
}

// toldOf is what can be told of a panic: the words of the runtime's own, such as an index out of range, and of any other its type.
func toldOf(fault any) any {
	if _, own := fault.(runtime.Error); own {
		return fault
	}
	return fmt.Sprintf("a %T, whose text is not shown because it may quote a secret; the stack says where", fault)
}
