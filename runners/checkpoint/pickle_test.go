package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One instruction or two each, as CPython 3.11's pickletools.dis and pickle.loads read them.
func TestUnpickle(t *testing.T) {
	tests := []struct {
		name, pickle string
		want         any
	}{
		{"none", "N", nil},
		{"booleans", "\x88\x89\x86", tuple{true, false}},
		{"one byte", "K\xff", int64(255)},
		{"two bytes", "M\xff\xff", int64(65535)},
		{"four bytes", "J\xfe\xff\xff\xff", int64(-2)},
		{"long of nothing", "\x8a\x00", int64(0)},
		{"long", "\x8a\x02\x00\xff", int64(-256)},
		{"long of eight", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", int64(1<<63 - 1)},
		{"long of nine", "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", opaque{}},
		{"long4", "\x8b\x01\x00\x00\x00\x80", int64(-128)},
		{"float", "G\x3f\xf8\x00\x00\x00\x00\x00\x00", 1.5},
		{"text", "X\x02\x00\x00\x00ab", "ab"},
		{"short text", "\x8c\x02ab", "ab"},
		{"long text", "\x8d\x02\x00\x00\x00\x00\x00\x00\x00ab", "ab"},
		{"string", "T\x01\x00\x00\x00a", "a"},
		{"short string", "U\x01a", "a"},
		{"bytes", "C\x01aB\x01\x00\x00\x00a\x8e\x01\x00\x00\x00\x00\x00\x00\x00a\x87", tuple{opaque{}, opaque{}, opaque{}}},
		{"bytearray", "\x96\x01\x00\x00\x00\x00\x00\x00\x00a", opaque{}},
		{"frame", "\x95\x01\x00\x00\x00\x00\x00\x00\x00N", nil},
		{"tuples", ")\x85(K\x01K\x02tK\x03\x87", tuple{tuple{tuple{}}, tuple{int64(1), int64(2)}, int64(3)}},
		{"lists", "](K\x01K\x02eK\x03a(l\x86", tuple{opaque{}, opaque{}}},
		{"sets", "\x8f(K\x01\x90(K\x01\x91\x86", tuple{opaque{}, opaque{}}},
		{"dict", "(K\x01K\x02d", &dict{[]item{{int64(1), int64(2)}}}},
		{"set items", "}K\x01K\x02s(K\x03K\x04K\x05K\x06u", &dict{[]item{{int64(1), int64(2)}, {int64(3), int64(4)},
			{int64(5), int64(6)}}}},
		{"ordered", "ccollections\nOrderedDict\n)RK\x01K\x02s}b", &dict{[]item{{int64(1), int64(2)}}}},
		{"pop", "K\x01K\x020", int64(1)},
		{"pop mark", "K\x01(K\x02K\x031", int64(1)},
		{"dup", "K\x012\x86", tuple{int64(1), int64(1)}},
		{"memo", "K\x01q\x07K\x02r\x00\x01\x00\x00h\x07j\x00\x01\x00\x00\x86", tuple{int64(1), int64(2)}},
		{"memoize", "K\x01\x94K\x02\x94h\x00h\x01\x86", tuple{int64(1), int64(2)}},
		{"global", "cos\nsystem\n", global{"os", "system"}},
		{"stack global", "\x8c\x02os\x8c\x06system\x93", global{"os", "system"}},
		{"reduce", "cos\nsystem\n\x8c\x02id\x85R", &object{of: global{"os", "system"}, args: tuple{"id"}}},
		{"new and build", "ca\nB\n)\x81K\x01b", &object{of: global{"a", "B"}, args: tuple{}, state: int64(1)}},
		{"new with keywords", "ca\nB\nN\x85}\x92", &object{of: global{"a", "B"}, args: tuple{nil}}},
		{"called result", "ca\nB\n)R)R", &object{args: tuple{}}},
		{"persistent", "K\x01Q", &persistent{int64(1)}},
	}
	for _, tt := range tests {
		got, err := unpickle("\x80\x02" + tt.pickle + ".")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(global{}, object{}, persistent{}, dict{}, item{})); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}
