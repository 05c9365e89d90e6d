package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Limits on a pickle. A CLIP's takes 30 instructions per tensor, and twice as many again with an optimizer's state.
const (
	maxPickle = 64 << 20 // bytes
	maxSteps  = 2 << 20  // instructions
)

// The values of a pickle are nil, bool, int64, float64, string and the types below. Nothing in
// them has run: a call is kept as the callable's name and its arguments.
type (
	// global is a name a pickle refers to.
	global struct{ module, name string }
	// object is what calling of with args would give, and the state it was then handed.
	object struct {
		of    global // zero where something other than a global is called
		args  tuple
		state any
	}
	// persistent is a value that lies outside the pickle.
	persistent struct{ id any }
	tuple      []any
	dict       struct{ items []item } // in order, as written: a key may stand twice
	item       struct{ key, value any }
	// opaque is a value no weight depends on: a list, a set, bytes, an integer beyond 64 bits.
	opaque struct{}
)

func (g global) String() string { return g.module + "." + g.name }

// unpickler is a stack machine for pickle protocols 2 to 5, as Python's pickletools module
// describes them. It never recurses, its strings share memory with its input, and it makes at most
// one value per instruction: memory is bounded by maxPickle and maxSteps. The first fault sticks.
//
// Note: github.com/nlpodyssey/gopickle reads the same pickles, but allocates any length a pickle
// claims (8-byte lengths up to the address space), panics on an empty LONG1 and an odd DICT, and
// knows no limit on instructions. Guarding it takes a second scan of all opcodes, which is this machine.
type unpickler struct {
	in    string
	at    int
	stack []any
	marks []int // heights of the stack at each MARK
	memo  map[uint64]any
	err   error
}

// unpickle decodes a pickle without executing any of it.
func unpickle(in string) (any, error) {
	if len(in) > maxPickle {
		return nil, fmt.Errorf("pickle of %d bytes; at most %d are read", len(in), maxPickle)
	}
	u := &unpickler{in: in, memo: map[uint64]any{}}
	for range maxSteps {
		at := u.at
		op := u.uint(1)
		if u.err == nil && op == '.' {
			if v := u.pop(); u.err == nil {
				return v, nil
			}
		}
		if u.err == nil && !u.scalar(byte(op)) && !u.container(byte(op)) && !u.reference(byte(op)) {
			u.fail("opcode 0x%02x is not one PyTorch writes; re-save with torch.save's default pickle_protocol", op)
		}
		if u.err != nil {
			return nil, fmt.Errorf("pickle, byte %d: %w", at, u.err)
		}
	}
	return nil, fmt.Errorf("pickle of more than %d instructions; save the state dict alone", maxSteps)
}

func (u *unpickler) fail(format string, args ...any) {
	if u.err == nil {
		u.err = fmt.Errorf(format, args...)
	}
}

// take is the next n bytes, or nothing if fewer are left.
func (u *unpickler) take(n uint64) string {
	if left := uint64(len(u.in) - u.at); n > left {
		u.fail("%d bytes are claimed, %d are left", n, left)
		return ""
	}
	s := u.in[u.at : u.at+int(n)]
	u.at += int(n)
	return s
}

// uint is the next n ≤ 8 bytes as a little-endian number.
func (u *unpickler) uint(n uint64) (v uint64) {
	for i, b := range []byte(u.take(n)) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// line is the text up to the next line feed.
func (u *unpickler) line() string {
	s, _, ok := strings.Cut(u.in[u.at:], "\n")
	if !ok {
		u.fail("a line does not end")
		return ""
	}
	u.at += len(s) + 1
	return s
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// pop takes one value; those below the last mark cannot be reached.
func (u *unpickler) pop() any {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack) <= floor {
		u.fail("the stack is empty")
		return nil
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v
}

// top is the last value, left where it is.
func (u *unpickler) top() any {
	v := u.pop()
	if u.err == nil {
		u.push(v)
	}
	return v
}

// popN takes n values.
func (u *unpickler) popN(n int) tuple {
	out := make(tuple, n)
	for i := n - 1; i >= 0; i-- {
		out[i] = u.pop()
	}
	return out
}

// popMark takes all values after the last mark, and the mark. They are good until the next push.
func (u *unpickler) popMark() tuple {
	if len(u.marks) == 0 {
		u.fail("no mark is set")
		return nil
	}
	from := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	out := u.stack[from:]
	u.stack = u.stack[:from]
	return out
}

// scalar does the instructions that push a value without parts.
func (u *unpickler) scalar(op byte) bool {
	switch op {
	case 0x80: // PROTO
		if p := u.uint(1); p < 2 || p > 5 {
			u.fail("protocol %d is not read; re-save with torch.save's default pickle_protocol", p)
		}
	case 0x95: // FRAME: the frame's content follows as if there were none
		if n := u.uint(8); n > uint64(len(u.in)-u.at) {
			u.fail("%d bytes are claimed, %d are left", n, len(u.in)-u.at)
		}
	case 'N':
		u.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		u.push(op == 0x88)
	case 'K': // BININT1
		u.push(int64(u.uint(1)))
	case 'M': // BININT2
		u.push(int64(u.uint(2)))
	case 'J': // BININT
		u.push(int64(int32(u.uint(4))))
	case 0x8a: // LONG1
		u.long(u.uint(1))
	case 0x8b: // LONG4
		u.long(u.uint(4))
	case 'G': // BINFLOAT, big-endian
		var bits uint64
		for _, b := range []byte(u.take(8)) {
			bits = bits<<8 | uint64(b)
		}
		u.push(math.Float64frombits(bits))
	case 0x8c, 'U': // SHORT_BINUNICODE, SHORT_BINSTRING
		u.push(u.take(u.uint(1)))
	case 'X', 'T': // BINUNICODE, BINSTRING
		u.push(u.take(u.uint(4)))
	case 0x8d: // BINUNICODE8
		u.push(u.take(u.uint(8)))
	case 'C': // SHORT_BINBYTES
		u.bytes(u.uint(1))
	case 'B': // BINBYTES
		u.bytes(u.uint(4))
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		u.bytes(u.uint(8))
	default:
		return false
	}
	return true
}

// bytes steps over n bytes that are no text.
func (u *unpickler) bytes(n uint64) {
	u.take(n)
	u.push(opaque{})
}

// long pushes a two's complement little-endian integer of n bytes.
func (u *unpickler) long(n uint64) {
	s := u.take(n)
	if len(s) > 8 {
		u.push(opaque{})
		return
	}
	var v int64
	for i := range len(s) {
		v |= int64(s[i]) << (8 * i)
	}
	if shift := 64 - 8*len(s); len(s) > 0 {
		v = v << shift >> shift
	}
	u.push(v)
}

// container does the instructions that build tuples, dictionaries, lists and sets.
func (u *unpickler) container(op byte) bool {
	switch op {
	case '(':
		u.marks = append(u.marks, len(u.stack))
	case ')': // EMPTY_TUPLE
		u.push(tuple{})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		u.push(u.popN(int(op - 0x84)))
	case 't': // TUPLE
		u.push(slices.Clone(u.popMark()))
	case '}': // EMPTY_DICT
		u.push(&dict{})
	case 'd': // DICT
		d := &dict{}
		u.set(d, u.popMark())
		u.push(d)
	case 's': // SETITEM
		pair := u.popN(2)
		u.set(u.top(), pair)
	case 'u': // SETITEMS
		items := u.popMark()
		u.set(u.top(), items)
	case ']', 0x8f: // EMPTY_LIST, EMPTY_SET
		u.push(opaque{})
	case 'a': // APPEND
		u.pop()
		u.top()
	case 'e', 0x90: // APPENDS, ADDITEMS
		u.popMark()
		u.top()
	case 'l', 0x91: // LIST, FROZENSET
		u.popMark()
		u.push(opaque{})
	default:
		return false
	}
	return true
}

// set adds keys and values, in turn, to a dictionary. What other objects would do with them is not known.
func (u *unpickler) set(target any, items tuple) {
	if len(items)%2 != 0 {
		u.fail("a key has no value")
		return
	}
	if d, ok := target.(*dict); ok {
		for i := 0; i < len(items); i += 2 {
			d.items = append(d.items, item{items[i], items[i+1]})
		}
	}
}

// reference does the instructions that name, call and share values.
func (u *unpickler) reference(op byte) bool {
	switch op {
	case '0': // POP
		u.pop()
	case '1': // POP_MARK
		u.popMark()
	case '2': // DUP
		u.push(u.top())
	case 'c': // GLOBAL
		u.push(global{u.line(), u.line()})
	case 0x93: // STACK_GLOBAL
		names := u.popN(2)
		module, ok1 := names[0].(string)
		name, ok2 := names[1].(string)
		if !ok1 || !ok2 {
			u.fail("a global is not named by two strings")
		}
		u.push(global{module, name})
	case 'R', 0x81: // REDUCE, NEWOBJ
		u.call(u.popN(2))
	case 0x92: // NEWOBJ_EX: keyword arguments matter to no tensor
		u.call(u.popN(3)[:2])
	case 'b': // BUILD
		state := u.pop()
		if o, ok := u.top().(*object); ok {
			o.state = state
		}
	case 'Q': // BINPERSID
		u.push(&persistent{u.pop()})
	case 'q': // BINPUT
		u.memo[u.uint(1)] = u.top()
	case 'r': // LONG_BINPUT
		u.memo[u.uint(4)] = u.top()
	case 0x94: // MEMOIZE
		u.memo[uint64(len(u.memo))] = u.top()
	case 'h': // BINGET
		u.get(u.uint(1))
	case 'j': // LONG_BINGET
		u.get(u.uint(4))
	default:
		return false
	}
	return true
}

// call pushes what a callable would make of its arguments: an ordered dictionary where it is
// known to be one, else an inert object.
func (u *unpickler) call(callee tuple) {
	args, ok := callee[1].(tuple)
	if !ok {
		u.fail("arguments of a call are not a tuple")
		return
	}
	of, _ := callee[0].(global)
	if of == (global{"collections", "OrderedDict"}) && len(args) == 0 {
		u.push(&dict{})
		return
	}
	u.push(&object{of: of, args: args})
}

func (u *unpickler) get(i uint64) {
	v, ok := u.memo[i]
	if !ok {
		u.fail("memo %d is empty", i)
	}
	u.push(v)
}

// get is the value of the last item under key.
func (d *dict) get(key string) (any, bool) {
	for _, it := range slices.Backward(d.items) {
		if k, ok := it.key.(string); ok && k == key {
			return it.value, true
		}
	}
	return nil, false
}
