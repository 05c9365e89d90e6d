package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// The helpers below write checkpoints byte by byte, faulty ones too.

// safe is a safetensors file of a header and n bytes of numbers.
func safe(header string, n int) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(header)))) + header + strings.Repeat("\x01", n)
}

// entry is a tensor of a safetensors header.
func entry(name, dtype, shape string, begin, end int) string {
	return fmt.Sprintf(`%q:{"dtype":%q,"shape":[%s],"data_offsets":[%d,%d]}`, name, dtype, shape, begin, end)
}

// Instructions of pickle protocol 2, named as in Python's pickletools.
const (
	opProto = "\x80\x02"
	opStop  = "."
	opDict  = "}"
	opMark  = "("
	opTuple = "t"
)

func le(n int, v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)[:n]) }

func opText(s string) string           { return "X" + le(4, uint64(len(s))) + s }
func opInt(n int) string               { return "\x8a\x08" + le(8, uint64(n)) }
func opGlobal(module, n string) string { return "c" + module + "\n" + n + "\n" }

// opCall calls a global with arguments.
func opCall(global string, args ...string) string {
	return global + opMark + strings.Join(args, "") + opTuple + "R"
}

func opInts(ns ...int) string {
	s := opMark
	for _, n := range ns {
		s += opInt(n)
	}
	return s + opTuple
}

// opSet is a dictionary of keys and values, in turn.
func opSet(pairs ...string) string { return opDict + opMark + strings.Join(pairs, "") + "u" }

// opStorage is a storage's persistent id.
func opStorage(class, key string, n int) string {
	return opMark + opText("storage") + opGlobal("torch", class) + opText(key) + opText("cpu") + opInt(n) + opTuple + "Q"
}

// opTensor is what torch writes for a tensor of floats.
func opTensor(key string, n, offset int, shape, strides []int) string {
	return opCall(opGlobal("torch._utils", "_rebuild_tensor_v2"),
		opStorage("FloatStorage", key, n), opInt(offset), opInts(shape...), opInts(strides...), "\x89",
		opCall(opGlobal("collections", "OrderedDict")))
}

// opObject is an object of a class with a state.
func opObject(class, state string) string { return class + ")\x81" + state + "b" }

func pickle(root string) string { return opProto + root + opStop }

// fataler is what testing.TB and rapid.T have in common here.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// member is a file of an archive. Its data is written as it is unless the method is zip.Deflate.
type member struct {
	name, data string
	method     uint16
}

// archiveOf is a zip file.
func archiveOf(t fataler, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	writeArchive(t, &b, members...)
	return b.String()
}

func writeArchive(t fataler, to io.Writer, members ...member) {
	t.Helper()
	z := zip.NewWriter(to)
	for _, m := range members {
		var w io.Writer
		var err error
		if m.method == zip.Deflate {
			w, err = z.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		} else {
			size := uint64(len(m.data))
			w, err = z.CreateRaw(&zip.FileHeader{Name: m.name, Method: m.method, CompressedSize64: size,
				UncompressedSize64: size})
		}
		if err == nil {
			_, err = io.WriteString(w, m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// torchOf is a PyTorch archive of a pickled root and one storage "0" of 24 bytes.
func torchOf(t fataler, root string) string {
	return archiveOf(t, member{name: "m/data.pkl", data: pickle(root)},
		member{name: "m/data/0", data: strings.Repeat("\x01", 24)})
}

// scriptOf is a TorchScript archive.
func scriptOf(t fataler, root string) string {
	return archiveOf(t, member{name: "m/data.pkl", data: pickle(root)},
		member{name: "m/data/0", data: strings.Repeat("\x01", 24)}, member{name: "m/constants.pkl"})
}
