package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var (
	vector   = opTensor("0", 6, 0, []int{2, 3}, []int{3, 1})
	rebuild2 = opGlobal("torch._utils", "_rebuild_tensor_v2")
	hooks    = "\x89" + opCall(opGlobal("collections", "OrderedDict"))
)

// Every refusal of a single file, with the text the user sees after the file's name.
func TestRefusals(t *testing.T) {
	tests := []struct{ name, file, want string }{
		// what is no checkpoint
		{"empty", "", "has zero bytes"},
		{"image", "\x89PNG\r\n\x1a\n0123", `is not a checkpoint (it begins with "\x89PNG\r\n\x1a\n")`},
		{"git lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
			"is a Git LFS pointer, not the weights; run git lfs pull"},
		{"legacy pickle", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
			"torch.save(..., _use_new_zipfile_serialization=True), or convert it to safetensors"},

		// safetensors: the frame
		{"huge header", le(8, maxHeader+1) + "{" + strings.Repeat(" ", 90),
			"safetensors header claims 100000001 bytes; the format allows 100000000"},
		{"header beyond file", le(8, 4096) + "{}",
			"safetensors header claims 4096 bytes, but the file has 10; download it again"},
		{"no tensors", safe("{}", 0), "no tensors; is it the model's weight file?"},
		{"only metadata", safe(`{"__metadata__":{"a":"b"}}`, 0), "no tensors"},

		// safetensors: the JSON
		{"cut JSON", safe(`{"w":{"dtype":"F32"`, 0), "safetensors header: tensor \"w\": ends early"},
		{"not JSON", safe(`{w:1}`, 0), "safetensors header: byte 1: invalid character"},
		{"text after", safe(`{} x`, 0), "text after the end"},
		{"trailing comma", safe(`{`+entry("w", "F32", "1", 0, 4)+`,}`, 4), "invalid character"},
		{"not UTF-8", safe("{\"\xff\":1}", 0), "safetensors header: not valid UTF-8"},
		{"twice", safe(`{`+entry("w", "F32", "1", 0, 4)+`,`+entry("w", "F32", "1", 0, 4)+`}`, 4), `key "w" stands twice`},
		{"dtype twice", safe(`{"w":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4), `tensor "w": key "dtype" stands twice`},
		{"unknown key", safe(`{"w":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}`, 4), `tensor "w": key "x" is not known`},
		{"no shape", safe(`{"w":{"dtype":"F32","data_offsets":[0,4]}}`, 4), `tensor "w": needs dtype, shape and two data_offsets`},
		{"one offset", safe(`{"w":{"dtype":"F32","shape":[],"data_offsets":[0]}}`, 4), `tensor "w": needs dtype, shape and two data_offsets`},
		{"three offsets", safe(`{"w":{"dtype":"F32","shape":[],"data_offsets":[0,4,8]}}`, 4), `tensor "w": more than 2 values in a list`},
		{"entry is a list", safe(`{"w":[]}`, 0), `tensor "w": byte 6: [ instead of {`},
		{"metadata number", safe(`{"__metadata__":{"a":1}}`, 0), "1 is not a string"},
		{"deep", safe(`{"w":`+strings.Repeat("[", 1<<16), 0), `tensor "w": byte 6: [ instead of {`},

		// safetensors: names, types, shapes
		{"empty name", safe(`{`+entry("", "F32", "1", 0, 4)+`}`, 4), "a tensor has an empty name"},
		{"long name", safe(`{`+entry(strings.Repeat("n", 513), "F32", "1", 0, 4)+`}`, 4), "has a name of 513 bytes; at most 512 are read"},
		{"control name", safe(`{"a\u0000b":{}}`, 4), `tensor name "a\x00b" has characters that are no text`},
		{"float8", safe(`{`+entry("w", "F8_E4M3", "4", 0, 4)+`}`, 4), `tensor "w": dtype "F8_E4M3" is not read; convert it to F32, F16 or BF16`},
		{"negative", safe(`{`+entry("w", "F32", "-1", 0, 4)+`}`, 4), `tensor "w": -1 is not a whole number in range`},
		{"fraction", safe(`{`+entry("w", "F32", "1.0", 0, 4)+`}`, 4), `tensor "w": 1.0 is not a whole number in range`},
		{"exponent", safe(`{`+entry("w", "F32", "1e3", 0, 4)+`}`, 4), `tensor "w": 1e3 is not a whole number in range`},
		{"beyond int64", safe(`{`+entry("w", "F32", "9223372036854775808", 0, 4)+`}`, 4), "9223372036854775808 is not a whole number in range"},
		{"product overflows", safe(`{`+entry("w", "F32", "4294967296,4294967296", 0, 0)+`}`, 0), "which overflows"},
		{"bytes overflow", safe(`{`+entry("w", "F32", "4611686018427387904", 0, 0)+`}`, 0), `tensor "w": data_offsets [0, 0] do not hold F32 of shape [4611686018427387904]`},
		{"rank", safe(`{`+entry("w", "F32", strings.Repeat("1,", 16)+"1", 0, 4)+`}`, 4), `tensor "w": more than 16 values in a list`},

		// safetensors: ranges
		{"size", safe(`{`+entry("w", "F32", "2", 0, 4)+`}`, 4), `tensor "w": data_offsets [0, 4] do not hold F32 of shape [2]; re-export the model`},
		{"odd size", safe(`{`+entry("w", "F32", "1", 0, 5)+`}`, 5), `tensor "w": data_offsets [0, 5] do not hold`},
		{"backwards", safe(`{`+entry("w", "F32", "1", 4, 0)+`}`, 4), `tensor "w": data_offsets [4, 0] do not hold`},
		{"cut short", safe(`{`+entry("w", "F32", "4", 0, 16)+`}`, 15), `tensor "w" ends at byte 16 of 15; the file is cut short, download it again`},
		{"overlap", safe(`{`+entry("a", "F32", "2", 0, 8)+`,`+entry("b", "F32", "2", 4, 12)+`}`, 12), `tensor "b" overlaps tensor "a"`},
		{"hole", safe(`{`+entry("a", "F32", "1", 0, 4)+`,`+entry("b", "F32", "1", 8, 12)+`}`, 12), `4 bytes before tensor "b" belong to no tensor`},
		{"tail", safe(`{`+entry("a", "F32", "1", 0, 4)+`}`, 12), "8 bytes after the last tensor belong to no tensor"},

		// zip
		{"cut zip", torchOf(t, opSet(opText("w"), vector))[:200],
			"zip directory: zip: not a valid zip file; the file is cut short or damaged, download it again"},
		{"no pickle", archiveOf(t, member{name: "m/data/0"}), "zip archive with 0 members data.pkl instead of one"},
		{"two pickles", archiveOf(t, member{name: "a/data.pkl"}, member{name: "b/data.pkl"}),
			"zip archive with 2 members data.pkl"},
		{"member twice", archiveOf(t, member{name: "m/data.pkl"}, member{name: "m/data.pkl"}), `zip member "m/data.pkl" stands twice`},
		{"deflated pickle", archiveOf(t, member{"m/data.pkl", pickle(opDict), zip.Deflate}), `zip member "m/data.pkl" is compressed or encrypted; re-save it with torch.save, or re-pack it with zip -0`},
		{"deflated storage", archiveOf(t, member{name: "m/data.pkl", data: pickle(opSet(opText("w"), vector))}, member{"m/data/0", strings.Repeat("a", 24), zip.Deflate}), `tensor "w": zip member "m/data/0" is compressed`},
		{"bzip2 of the same size", archiveOf(t, member{"m/data.pkl", pickle(opDict), 12}), `zip member "m/data.pkl" is compressed`},
		{"no storage", archiveOf(t, member{name: "m/data.pkl", data: pickle(opSet(opText("w"), vector))}), `tensor "w": no zip member "m/data/0"; the file is incomplete, download it again`},
		{"big-endian", archiveOf(t, member{name: "m/data.pkl", data: pickle(opDict)}, member{name: "m/byteorder", data: "big"}), `byte order is "big"; save it on a little-endian machine`},
		{"long byte order", archiveOf(t, member{name: "m/data.pkl"}, member{name: "m/byteorder", data: strings.Repeat("x", 17)}), `zip member "m/byteorder" has 17 bytes; at most 16 are read`},
		{"overlap of members", sameOffset(t), `zip members "m/data/0" and "m/data/1" overlap; do not trust this file`},
		{"zip64 claim", zip64Claim(1 << 40), "zip64 directory claims 1099511627776 members; at most 262144 are read"},

		// pickle: the machine
		{"empty pickle", archiveOf(t, member{name: "m/data.pkl"}),
			"m/data.pkl: pickle, byte 0: 1 bytes are claimed, 0 are left"},
		{"no stop", archiveOf(t, member{name: "m/data.pkl", data: opProto + opDict}),
			"pickle, byte 3: 1 bytes are claimed, 0 are left"},
		{"protocol 0", archiveOf(t, member{name: "m/data.pkl", data: "I1\n."}),
			"pickle, byte 0: opcode 0x49 is not one PyTorch writes; re-save with torch.save's default pickle_protocol"},
		{"protocol 6", archiveOf(t, member{name: "m/data.pkl", data: "\x80\x06."}), "protocol 6 is not read"},
		{"extension", torchOf(t, "\x82\x01"), "opcode 0x82 is not one PyTorch writes"},
		{"out of band", torchOf(t, "\x97"), "opcode 0x97 is not one"},
		{"empty stack", torchOf(t, "0"), "byte 2: the stack is empty"},
		{"stop on nothing", torchOf(t, ""), "byte 2: the stack is empty"},
		{"pop below mark", torchOf(t, opDict+"(0"), "byte 4: the stack is empty"},
		{"no mark", torchOf(t, "t"), "no mark is set"},
		{"odd dict", torchOf(t, "(Nd"), "a key has no value"},
		{"odd items", torchOf(t, opDict+"(Nu"), "a key has no value"},
		{"memo", torchOf(t, "h\x07"), "memo 7 is empty"},
		{"claimed text", torchOf(t, "\x8d"+le(8, 1<<62)), "4611686018427387904 bytes are claimed, 1 are left"},
		{"claimed bytes", torchOf(t, "\x8e"+le(8, 1<<63)), "9223372036854775808 bytes are claimed, 1 are left"},
		{"claimed bytearray", torchOf(t, "\x96"+le(8, 1<<40)), "1099511627776 bytes are claimed, 1 are left"},
		{"claimed frame", torchOf(t, "\x95"+le(8, 1<<40)), "1099511627776 bytes are claimed, 1 are left"},
		{"claimed long", torchOf(t, "\x8b"+le(4, 1<<31)), "2147483648 bytes are claimed, 1 are left"},
		{"claimed string", torchOf(t, "T"+le(4, 1<<31)), "2147483648 bytes are claimed, 1 are left"},
		{"endless global", archiveOf(t, member{name: "m/data.pkl", data: "\x80\x02cos"}), "a line does not end"},
		{"global of numbers", torchOf(t, "K\x01K\x02\x93"), "a global is not named by two strings"},
		{"call without tuple", torchOf(t, opGlobal("os", "system")+"NR"), "arguments of a call are not a tuple"},
		{"too many instructions", torchOf(t, strings.Repeat("N", maxSteps)),
			"pickle of more than 2097152 instructions; save the state dict alone"},

		// pickle: what it holds
		{"code", torchOf(t, opCall(opGlobal("os", "system"), opText("touch pwned"))), `holds an object of "os.system", not a state dict; save model.state_dict() instead`},
		{"list", torchOf(t, "]"), "holds a Python value, not a state dict"},
		{"nested lists", torchOf(t, strings.Repeat("]", 1<<16)+strings.Repeat("a", 1<<16-1)),
			"holds a Python value, not a state dict"},
		{"nested tuples", torchOf(t, ")"+strings.Repeat("\x85", 1<<16)), "holds a Python value, not a state dict"},
		{"no state dict", torchOf(t, opSet(opText("epoch"), opInt(1))), `no state dict at the top or below; its entries are ["epoch"]; save model.state_dict() instead`},
		{"name is a number", torchOf(t, opSet(opInt(5), vector)), "a tensor is filed under 5 instead of a name"},
		{"name twice", torchOf(t, opSet(opText("w"), vector, opText("w"), vector)), `tensor "w" stands twice`},
		{"name empty", torchOf(t, opSet(opText(""), vector)), "a tensor has an empty name"},
		{"self wrapped", torchOf(t, opDict+"q\x00("+opText("state_dict")+"h\x00u"), "no state dict at the top"},
		{"module in itself", scriptOf(t, opGlobal("__torch__", "M")+")\x81q\x00"+opSet(opText("m"), "h\x00")+"b"),
			"modules are nested deeper than 64"},
		{"module bomb", scriptOf(t, moduleBomb(40)), "modules have more than 2097152 entries"},
		{"module without tensors", scriptOf(t, opObject(opGlobal("__torch__", "M"), opSet(opText("training"), "\x88"))),
			"no tensors"},

		// pickle: tensors
		{"beyond storage", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{7}, []int{1}))), `tensor "w": shape [7] with strides [1] and offset 0 reaches beyond its storage of 24 bytes`},
		{"offset", torchOf(t, opSet(opText("w"), opTensor("0", 6, 1, []int{6}, []int{1}))),
			"offset 1 reaches beyond its storage of 24 bytes"},
		{"offset of nothing", torchOf(t, opSet(opText("w"), opTensor("0", 6, 7, []int{0}, []int{1}))),
			"offset 7 reaches beyond its storage of 24 bytes"},
		{"stride", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{2, 3}, []int{4, 1}))),
			"with strides [4 1] and offset 0 reaches beyond"},
		{"stride overflows", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{3, 3}, []int{1 << 62, 1 << 62}))),
			"reaches beyond its storage"},
		{"shape overflows", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{1 << 32, 1 << 32}, []int{0, 0}))), `tensor "w": has shape [4294967296 4294967296], which overflows`},
		{"expanded", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{1 << 40}, []int{0}))), `tensor "w": spreads a storage of 24 bytes over shape [1099511627776]; save it .contiguous()`},
		{"negative offset", torchOf(t, opSet(opText("w"), opTensor("0", 6, -1, []int{1}, []int{1}))), `tensor "w": is rebuilt from arguments torch does not write`},
		{"negative shape", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{-1}, []int{1}))),
			"is rebuilt from arguments torch does not write"},
		{"negative stride", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{1}, []int{-1}))),
			"is rebuilt from arguments torch does not write"},
		{"missing stride", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, []int{1, 1}, []int{1}))),
			"is rebuilt from arguments torch does not write"},
		{"rank", torchOf(t, opSet(opText("w"), opTensor("0", 6, 0, make([]int, 17), make([]int, 17)))),
			"has 17 dimensions; at most 16 are read"},
		{"storage larger than member", torchOf(t, opSet(opText("w"), opTensor("0", 7, 0, []int{1}, []int{1}))), `tensor "w": needs a storage of 7 elements of f32, but member "m/data/0" has 24 bytes`},
		{"negative storage", torchOf(t, opSet(opText("w"), opTensor("0", -1, 0, []int{0}, []int{1}))),
			"is rebuilt from arguments torch does not write"},
		{"no storage id", torchOf(t, opSet(opText("w"), opCall(rebuild2, "N", opInt(0), opInts(1), opInts(1), hooks))),
			"is rebuilt from arguments torch does not write"},
		{"few arguments", torchOf(t, opSet(opText("w"), opCall(rebuild2, opInt(0)))), `is made by "torch._utils._rebuild_tensor_v2", which is not a dense tensor in the file`},
		{"storage type", torchOf(t, opSet(opText("w"), opCall(rebuild2, opStorage("QInt8Storage", "0", 6), opInt(0), opInts(1), opInts(1), hooks))), `tensor "w": has storage type "torch.QInt8Storage", which is not read; convert it to float32, float16 or bfloat16`},
		{"storage path", torchOf(t, opSet(opText("w"), opTensor("../data.pkl", 1, 0, []int{1}, []int{1}))), `no zip member "m/data/../data.pkl"`},
		{"parameter of parameter", torchOf(t, opSet(opText("w"), parameters(maxWraps))), `tensor "w": is rebuilt from arguments torch does not write`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w")
			write(t, path, []byte(tt.file))
			wantError(t, path, path+": ", tt.want)
		})
	}
}

// Files that torch wrote and that hold what is not read.
func TestRefusalsOfTorchFiles(t *testing.T) {
	for file, want := range map[string]string{
		"refused_legacy.pt":  "is a legacy PyTorch pickle, not a zip archive",
		"refused_float8.pt":  `tensor "w": has dtype "torch.float8_e4m3fn", which is not read; convert it to float32, float16 or bfloat16`,
		"refused_complex.pt": `tensor "w": has storage type "torch.ComplexFloatStorage", which is not read`,
		"refused_sparse.pt":  `tensor "w": is made by "torch._utils._rebuild_sparse_tensor", which is not a dense tensor in the file; save a dense copy`,
		"refused_negated.pt": `tensor "w": is a lazily negated or conjugated view; save its .resolve_neg()`,
		"refused_module.pt":  `holds an object of "torch.nn.modules.container.Sequential", not a state dict; save model.state_dict() instead`,
		"refused_tensor.pt":  "holds a single tensor, not a state dict",
	} {
		path := filepath.Join("testdata", file)
		wantError(t, path, path+": ", want)
	}
}

func TestRefusalsOfIndexes(t *testing.T) {
	first := safe(`{`+entry("a", "F32", "1", 0, 4)+`}`, 4)
	mapped := func(file string) string { return fmt.Sprintf(`{"weight_map":{"a":%q}}`, file) }
	const beside = "shards must lie beside their index, named without directories"
	tests := []struct{ name, index, want string }{
		{"parent", mapped("../first"), `tensor "a" is mapped to "../first"; ` + beside},
		{"absolute", mapped("/etc/passwd"), beside},
		{"folder", mapped("x/first"), beside},
		{"backslash", mapped(`x\first`), beside},
		{"drive", mapped("C:first"), beside},
		{"dots", mapped(".."), beside},
		{"dot", mapped("."), beside},
		{"empty", mapped(""), beside},
		{"NUL", `{"weight_map":{"a":"first\u0000"}}`, beside},
		{"long", mapped(strings.Repeat("n", 256)), beside},
		{"absent", mapped("third"), "third: no such file or directory"},
		{"wrong shard", `{"weight_map":{"b":"first"}}`, `tensor "b" is not in shard DIR/first; index and shards are of different models, download them again`},
		{"mixed", `{"weight_map":{"a":"first","row":"pickle"}}`, "shard DIR/pickle is a pytorch state dict; convert the model to safetensors"},
		{"itself", mapped("index"), "shard DIR/index: is an index of shards, not a weight file"},
		{"nothing", `{"metadata":{}}`, "no weight_map; give the index of the shards or the weight file itself"},
		{"config", `{"architectures":["CLIPModel"]}`, `key "architectures" is not known in an index of shards; give the weight file itself`},
		{"twice", `{"weight_map":{"a":"first","a":"first"}}`, `key "a" stands twice`},
		{"maps twice", `{"weight_map":{"a":"first"},"weight_map":{"a":"first"}}`, `key "weight_map" stands twice`},
		{"number", `{"weight_map":{"a":1}}`, `tensor "a": byte 20: 1 is not a string`},
		{"deep", `{"metadata":{"x":` + strings.Repeat("[", 1000) + `}}`, "nested deeper than 64"},
		{"after", mapped("first") + "x", "text after the end"},
		{"name", `{"weight_map":{"":"first"}}`, "a tensor has an empty name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "first"), []byte(first))
			write(t, filepath.Join(dir, "pickle"), content(t, "testdata/plain.pt"))
			path := filepath.Join(dir, "index")
			write(t, path, []byte(tt.index))
			wantError(t, path, path+": ", strings.ReplaceAll(tt.want, "DIR", dir))
		})
	}
}

func TestRefusalsOfPaths(t *testing.T) {
	dir := t.TempDir()
	wantError(t, dir, dir+": ", "no weights in this directory: none of model.safetensors, ")
	wantError(t, filepath.Join(dir, "none"), "", "no such file or directory")
	if _, err := os.Stat("/dev/zero"); err == nil {
		wantError(t, "/dev/zero", "/dev/zero: ", "not a regular file; give a weight file or a Hugging Face directory")
	}
	large := filepath.Join(dir, "index")
	write(t, large, []byte("{"))
	if err := os.Truncate(large, maxIndex+1); err != nil {
		t.Fatal(err)
	}
	wantError(t, large, large+": ", "more than 33554432 bytes")
}

func wantError(t *testing.T, path, prefix, want string) {
	t.Helper()
	c, err := Open(path)
	if err == nil {
		t.Fatalf("opened with %q, want error %q", c.Names(), want)
	}
	if got := err.Error(); !strings.Contains(got, want) || !strings.HasPrefix(got, prefix) || strings.HasSuffix(got, ".") {
		t.Errorf("error %q\n want %q… %q", got, prefix, want)
	}
}

// What is not claimed but really there is bounded too.
func TestLimits(t *testing.T) {
	var keys, names strings.Builder
	for i := range maxKeys + 1 {
		fmt.Fprintf(&keys, `"%d":"",`, i)
		names.WriteString(opText(fmt.Sprint(i)) + "h\x00")
	}
	var directory bytes.Buffer
	z := zip.NewWriter(&directory)
	for range maxDirectory>>16 + 1 {
		if _, err := z.CreateRaw(&zip.FileHeader{Name: "m", Comment: strings.Repeat("c", 1<<16-1)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, want string }{
		{"keys", safe(`{"__metadata__":{`+keys.String()+`"":""}}`, 0), "safetensors header: more than 131073 keys in an object"},
		{"tensors", torchOf(t, vector+"q\x000"+opSet(names.String())), "more than 131072 tensors"},
		{"directory", directory.String(), "more than 33554432 bytes of zip directory; at most 262144 members are read"},
	} {
		if _, err := readContents("f", strings.NewReader(tt.file), int64(len(tt.file))); err == nil ||
			err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}

// A length that is only claimed costs nothing.
func TestClaimsAllocateNothing(t *testing.T) {
	zip64 := zip64Claim(1 << 31)
	for name, file := range map[string]struct {
		data string
		size int64
	}{
		"text":   {torchOf(t, "\x8d"+le(8, 1<<40)), 0},
		"header": {le(8, maxHeader) + "{", 0},
		"zip64":  {zip64, 1 << 38}, // as large as a sparse file must be for the claim to be possible
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		size := max(file.size, int64(len(file.data)))
		if _, err := readContents("f", spread{file.data, size}, size); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

// spread is a sparse file: the first half of data, zeros, the rest of data.
type spread struct {
	data string
	size int64
}

func (s spread) ReadAt(p []byte, off int64) (int, error) {
	half := int64(len(s.data) / 2)
	for i := range p {
		switch at := off + int64(i); {
		case at >= s.size:
			return i, io.EOF
		case at < half:
			p[i] = s.data[at]
		case at >= s.size-(int64(len(s.data))-half):
			p[i] = s.data[at-s.size+int64(len(s.data))]
		default:
			p[i] = 0
		}
	}
	return len(p), nil
}

// sameOffset is an archive whose directory sends two storages to the same bytes.
func sameOffset(t *testing.T) string {
	root := opSet(opText("a"), opTensor("0", 1, 0, []int{1}, []int{1}), opText("b"), opTensor("1", 1, 0, []int{1},
		[]int{1}))
	b := []byte(archiveOf(t, member{name: "m/data.pkl", data: pickle(root)}, member{name: "m/data/0", data: "0123"},
		member{name: "m/data/1", data: "4567"}))
	const header, offset = 46, 42 // of a directory entry, APPNOTE 4.3.12
	find := func(name string) int { return strings.LastIndex(string(b), name) - header }
	copy(b[find("m/data/1")+offset:][:4], b[find("m/data/0")+offset:][:4])
	return string(b)
}

// zip64Claim is a zip64 end record (APPNOTE 4.3.14 to 4.3.16) that claims n members, in a file without any.
func zip64Claim(n uint64) string {
	start := "PK\x03\x04" + strings.Repeat("\x00", 1000)
	record := make([]byte, 56)
	copy(record, "PK\x06\x06")
	binary.LittleEndian.PutUint64(record[4:], 44)
	binary.LittleEndian.PutUint64(record[24:], n)
	binary.LittleEndian.PutUint64(record[32:], n)
	locator := "PK\x06\x07" + le(4, 0) + le(8, 4) + le(4, 1)
	end := "PK\x05\x06" + le(4, 0) + "\xff\xff\xff\xff" + "\xff\xff\xff\xff\xff\xff\xff\xff" + le(2, 0)
	return start[:4] + string(record) + start + locator + end
}

// moduleBomb is a module that reaches 2^n modules, of which it has n.
func moduleBomb(n int) string {
	class := opGlobal("__torch__", "M")
	s := opObject(class, opDict) + "q\x00"
	for range n {
		s += "0" + opObject(class, opSet(opText("a"), "h\x00", opText("b"), "h\x00")) + "q\x00"
	}
	return s
}

// parameters is a tensor wrapped n times.
func parameters(n int) string {
	s := vector
	for range n {
		s = opCall(opGlobal("torch._utils", "_rebuild_parameter"), s, "\x88", opDict)
	}
	return s
}
