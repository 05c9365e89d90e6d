package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"ovbench/runners/tensor"
)

// maxExpanded bounds the elements of a tensor that has more of them than its storage (stride 0):
// a few bytes of file may not stand for gigabytes of memory.
const maxExpanded = 1 << 22

// storageTypes are the classes of torch whose storages Ref knows. An untyped storage is counted in bytes.
var storageTypes = map[string]tensor.DType{
	"DoubleStorage": tensor.F64, "FloatStorage": tensor.F32, "HalfStorage": tensor.F16, "BFloat16Storage": tensor.BF16,
	"LongStorage": tensor.I64, "IntStorage": tensor.I32, "ShortStorage": tensor.I16, "CharStorage": tensor.I8,
	"ByteStorage": tensor.U8, "BoolStorage": tensor.Bool, "UntypedStorage": tensor.U8, "_UntypedStorage": tensor.U8,
}

// torchTypes are the element types torch names beside an untyped storage.
var torchTypes = map[string]tensor.DType{
	"float64": tensor.F64, "float32": tensor.F32, "float16": tensor.F16, "bfloat16": tensor.BF16,
	"int64": tensor.I64, "int32": tensor.I32, "int16": tensor.I16, "int8": tensor.I8, "uint8": tensor.U8,
	"bool": tensor.Bool,
}

// readTorch reads what torch.save and torch.jit.save write: a zip archive whose data.pkl names tensors
// and whose data/ members are their storages.
func readTorch(path string, f io.ReaderAt, size int64) (contents, error) {
	a, err := openArchive(f, size)
	if err != nil {
		return contents{}, err
	}
	text, err := a.pickle()
	if err != nil {
		return contents{}, err
	}
	root, err := unpickle(text)
	if err != nil {
		return contents{}, fmt.Errorf("%s: %w", a.root+"data.pkl", err)
	}
	m := model{archive: a, path: path, tensors: map[string]tensor.Ref{}}
	format := StateDict
	if o, ok := root.(*object); ok && a.isTorchScript() {
		format = TorchScript
		err = m.module("", o, 0)
	} else {
		err = m.stateDict(root)
	}
	if err != nil {
		return contents{}, err
	}
	if err := a.checkOverlaps(); err != nil {
		return contents{}, err
	}
	return contents{format: format, tensors: m.tensors, notes: m.notes}, nil
}

// model collects the tensors of one archive.
type model struct {
	archive *archive
	path    string
	tensors map[string]tensor.Ref
	notes   []string
	visits  int // entries of modules seen, a module reached twice counting twice
}

// wrappers are the keys under which training scripts save a state dict, best first.
var wrappers = []string{"state_dict", "model_state_dict", "model", "module"}

// copies are keys of a second copy of the weights, averaged over time or of a teacher: never taken where there is
// another.
var copies = regexp.MustCompile(`(?i)ema|teacher|momentum|average|swa`)

// stateDict collects the tensors of a state dict, bare or in a training checkpoint.
func (m *model) stateDict(root any) error {
	d, ok := root.(*dict)
	if !ok {
		return fmt.Errorf("holds %s, not a state dict; save model.state_dict() instead", describe(root))
	}
	for range maxWraps {
		key, inner, err := d.unwrap()
		if err != nil {
			return err
		}
		if inner == nil {
			break
		}
		if beside := d.stateDicts(); len(beside) > 1 {
			beside = slices.DeleteFunc(beside, func(s string) bool { return s == key })
			m.notes = append(m.notes, fmt.Sprintf("weights under %q; those under %q are not read", key, beside))
		}
		d = inner
	}
	if !d.hasTensors() {
		return fmt.Errorf("no state dict at the top or below; its entries are %s; save model.state_dict() instead",
			d.summary())
	}
	for _, it := range d.items {
		o, ok := rebuilt(it.value)
		if !ok {
			continue
		}
		name, ok := it.key.(string)
		if !ok {
			return fmt.Errorf("a tensor is filed under %s instead of a name; save model.state_dict() instead", describe(it.key))
		}
		if err := m.add(name, o); err != nil {
			return err
		}
	}
	return nil
}

// module collects the tensors of a TorchScript module and of the modules in it, joining names with dots.
func (m *model) module(prefix string, o *object, depth int) error {
	d, ok := o.state.(*dict)
	if !ok {
		return nil
	}
	if depth > maxNesting {
		return fmt.Errorf("modules are nested deeper than %d", maxNesting)
	}
	for _, it := range d.items {
		if m.visits++; m.visits > maxSteps {
			return fmt.Errorf("modules have more than %d entries", maxSteps)
		}
		key, ok := it.key.(string)
		if !ok {
			continue
		}
		if len(prefix)+len(key) > maxName {
			return checkName(prefix + key)
		}
		if t, ok := rebuilt(it.value); ok {
			if err := m.add(prefix+key, t); err != nil {
				return err
			}
		} else if child, ok := it.value.(*object); ok {
			if err := m.module(prefix+key+".", child, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *model) add(name string, o *object) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, twice := m.tensors[name]; twice {
		return fmt.Errorf("tensor %q stands twice; save the model again", name)
	}
	if len(m.tensors) == maxTensors {
		return fmt.Errorf("more than %d tensors", maxTensors)
	}
	v, err := rebuild(o)
	if err == nil {
		m.tensors[name], err = m.locate(v)
	}
	if err != nil {
		return fmt.Errorf("tensor %q: %w", name, err)
	}
	return nil
}

// rebuilt is v as a call to one of torch's functions that make a tensor.
func rebuilt(v any) (*object, bool) {
	o, ok := v.(*object)
	return o, ok && strings.HasPrefix(o.of.module, "torch.") && strings.HasPrefix(o.of.name, "_rebuild")
}

// unwrap is the state dict in a training checkpoint d, nil if d is one itself: under one of the wrappers, else under
// the only key that holds tensors and is no copy.
func (d *dict) unwrap() (key string, inner *dict, err error) {
	found := d.stateDicts()
	for _, key := range wrappers {
		if slices.Contains(found, key) {
			found = []string{key}
			break
		}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, copies.MatchString)
	}
	switch {
	case len(found) == 0 || len(found) > 1 && d.hasTensors():
		return "", nil, nil
	case len(found) > 1:
		return "", nil, fmt.Errorf("several state dicts, under %q; save the one that is meant", found)
	case d.hasTensors() && !slices.Contains(wrappers, found[0]):
		return "", nil, nil
	}
	v, _ := d.get(found[0])
	inner, _ = v.(*dict)
	return found[0], inner, nil
}

// stateDicts are the keys of d under which tensors stand, at once or one level deeper under a wrapper.
func (d *dict) stateDicts() (keys []string) {
	for _, it := range d.items {
		key, isName := it.key.(string)
		inner, isDict := it.value.(*dict)
		if !isName || !isDict || key == "optimizer" {
			continue
		}
		deeper := slices.ContainsFunc(wrappers, func(w string) bool {
			v, _ := inner.get(w)
			d, ok := v.(*dict)
			return ok && d.hasTensors()
		})
		if inner.hasTensors() || deeper {
			keys = append(keys, key)
		}
	}
	return keys
}

func (d *dict) hasTensors() bool {
	return slices.ContainsFunc(d.items, func(it item) bool {
		_, ok := rebuilt(it.value)
		return ok
	})
}

// summary is the first keys of d.
func (d *dict) summary() string {
	const most = 8
	var keys []string
	for _, it := range d.items[:min(len(d.items), most)] {
		keys = append(keys, describe(it.key))
	}
	if len(d.items) > most {
		keys = append(keys, "…")
	}
	return "[" + strings.Join(keys, ", ") + "]"
}

// describe is a value in a few words.
func describe(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%.40q", v)
	case bool, int64, float64:
		return fmt.Sprint(v)
	case *dict:
		return "a dictionary"
	case *object:
		if _, ok := rebuilt(v); ok {
			return "a single tensor"
		}
		return fmt.Sprintf("an object of %.80q", v.of)
	}
	return "a Python value"
}

// view is a tensor as torch writes it: a window on a storage.
type view struct {
	storage       any
	offset        any // elements
	size, strides any
	dtype         any // nil for that of the storage
}

// maxWraps bounds how often a tensor is wrapped in parameters and subclasses.
const maxWraps = 8

var errArguments = errors.New("is rebuilt from arguments torch does not write; save the model again")

// rebuild reads the arguments of torch._utils._rebuild_tensor and its kin.
func rebuild(o *object) (view, error) {
	for range maxWraps {
		name, args := o.of.name, o.args
		switch {
		case strings.HasPrefix(name, "_rebuild_parameter") && len(args) > 0: // data, requires_grad, hooks, state
			inner, ok := rebuilt(args[0])
			if !ok {
				return view{}, errArguments
			}
			o = inner
		case name == "_rebuild_from_type_v2" && len(args) > 2: // function, type, its arguments, state
			of, _ := args[0].(global)
			inner, _ := args[2].(tuple)
			o = &object{of: of, args: inner}
			if _, ok := rebuilt(o); !ok {
				return view{}, errArguments
			}
		case name == "_rebuild_tensor" && len(args) == 4: // storage, offset, size, stride
			return view{args[0], args[1], args[2], args[3], nil}, nil
		case name == "_rebuild_tensor_v2" && len(args) >= 6: // …, requires_grad, hooks, metadata
			return view{args[0], args[1], args[2], args[3], nil}, plain(args[6:])
		case name == "_rebuild_tensor_v3" && len(args) >= 7: // …, requires_grad, hooks, dtype, metadata
			return view{args[0], args[1], args[2], args[3], args[6]}, plain(args[7:])
		default:
			return view{}, fmt.Errorf("is made by %.80q, which is not a dense tensor in the file; save a dense copy", o.of)
		}
	}
	return view{}, errArguments
}

// plain refuses the metadata of lazily negated and conjugated views: their numbers are not in the file.
func plain(metadata tuple) error {
	if len(metadata) > 0 {
		if d, ok := metadata[0].(*dict); !ok && metadata[0] != nil || ok && len(d.items) > 0 {
			return errors.New("is a lazily negated or conjugated view; save its .resolve_neg()")
		}
	}
	return nil
}

// locate finds the bytes of a view, and makes sure that the archive has them.
func (m *model) locate(v view) (tensor.Ref, error) {
	dtype, data, length, err := m.storage(v.storage)
	if err != nil {
		return tensor.Ref{}, err
	}
	if v.dtype != nil {
		g, _ := v.dtype.(global)
		var ok bool
		if dtype, ok = torchTypes[g.name]; !ok || g.module != "torch" {
			return tensor.Ref{}, fmt.Errorf("has dtype %.80q, which is not read; convert it to float32, float16 or bfloat16", g)
		}
	}
	shape, ok1 := integers(v.size)
	strides, ok2 := integers(v.strides)
	first, ok3 := v.offset.(int64)
	if !ok1 || !ok2 || !ok3 || first < 0 || len(shape) != len(strides) {
		return tensor.Ref{}, errArguments
	}
	n, err := checkShape(shape)
	if err != nil {
		return tensor.Ref{}, err
	}
	size := int64(dtype.Size())
	span, ok := span(shape, strides)
	if !ok || first > length/size || span > length/size-first {
		return tensor.Ref{}, fmt.Errorf("shape %v with strides %v and offset %d reaches beyond its storage of %d bytes; "+
			"the file is damaged, download it again",
			shape, strides, first, length)
	}
	if n > length/size && n > maxExpanded {
		return tensor.Ref{}, fmt.Errorf("spreads a storage of %d bytes over shape %v; save it .contiguous()", length, shape)
	}
	r := tensor.Ref{Path: m.path, Offset: data + first*size, Length: span * size, DType: dtype, Shape: shape,
		Strides: strides}
	if n == 0 || r.Contiguous() {
		r.Strides = nil
	}
	return r, nil
}

// storage finds the bytes of ("storage", type, key, device, elements), a persistent id.
func (m *model) storage(v any) (dtype tensor.DType, offset, length int64, err error) {
	p, ok := v.(*persistent)
	if !ok {
		return 0, 0, 0, errArguments
	}
	id, _ := p.id.(tuple)
	if len(id) < 5 || id[0] != any("storage") {
		return 0, 0, 0, errArguments
	}
	class, _ := id[1].(global)
	key, ok1 := id[2].(string)
	n, ok2 := id[4].(int64)
	if !ok1 || !ok2 || n < 0 {
		return 0, 0, 0, errArguments
	}
	if dtype, ok = storageTypes[class.name]; !ok || class.module != "torch" && !strings.HasPrefix(class.module, "torch.") {
		return 0, 0, 0, fmt.Errorf("has storage type %.80q, which is not read; convert it to float32, float16 or bfloat16",
			class)
	}
	offset, length, err = m.archive.storage(key)
	if err != nil {
		return 0, 0, 0, err
	}
	if n > length/int64(dtype.Size()) {
		return 0, 0, 0, fmt.Errorf("needs a storage of %d elements of %v, but member %q has %d bytes; download the file "+
			"again", n, dtype, m.archive.member(key), length)
	}
	return dtype, offset, n * int64(dtype.Size()), nil
}

// integers reads a tuple of whole numbers that are not negative.
func integers(v any) ([]int, bool) {
	t, ok := v.(tuple)
	out := make([]int, len(t))
	for i, e := range t {
		n, isInt := e.(int64)
		if !isInt || n < 0 || n > math.MaxInt {
			return nil, false
		}
		out[i] = int(n)
	}
	return out, ok
}

// span is the number of elements from the first to the last of a view, inclusive; false on overflow.
func span(shape, strides []int) (int64, bool) {
	last := int64(0)
	for i, d := range shape {
		if d == 0 {
			return 0, true
		}
		step := int64(d-1) * int64(strides[i])
		if strides[i] != 0 && step/int64(strides[i]) != int64(d-1) || step > math.MaxInt64-1-last {
			return 0, false
		}
		last += step
	}
	return last + 1, true
}
