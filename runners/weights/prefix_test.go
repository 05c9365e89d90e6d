package weights

import (
	"fmt"
	"strings"
	"testing"

	"ovbench/runners/checkpoint"
	"ovbench/runners/tensor"
)

// Wrappers of training and compiling keep a model under names of their own; the model's first layer tells which.
func TestUnwrap(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"v.conv v.norm scale", "scale v.conv v.norm []"},
		{"model.v.conv model.scale", "scale v.conv []"},
		{"_orig_mod.v.conv _orig_mod.scale", "scale v.conv []"},
		{"module._orig_mod.v.conv", "v.conv []"},
		{"v._fsdp_wrapped_module.conv v.layers.0._checkpoint_wrapped_module.norm", "v.conv v.layers.0.norm []"},
		{"state.clip.model.v.conv state.clip.model.t.conv", "t.conv v.conv []"},
		{"clip.v.conv scale head.weight", "scale v.conv [1 tensors outside clip. are not read, the first is head.weight]"},
		{"clip.v.conv clip.scale scale", "scale v.conv [1 tensors outside clip. are not read, the first is scale]"},
		{"model.v.conv model_ema.module.v.conv",
			"v.conv [1 tensors outside model. are not read, the first is model_ema.v.conv]"},
		{"student.v.conv teacher.v.conv", "v.conv [1 tensors outside student. are not read, the first is teacher.v.conv]"},
		{"v.conv ema.v.conv", "ema.v.conv v.conv []"},
		{"a.v.conv b.v.conv", "models lie under several prefixes, a. and b.: save the one that is meant alone"},
		{"v.conv module.v.conv", "tensor v.conv stands in the file twice"},
		{"other.thing", "other.thing []"},
		{"rev.conv", "rev.conv []"}, // v.conv, but no name of its own
	} {
		tensors := map[string]tensor.Ref{}
		for name := range strings.FieldsSeq(c.names) {
			tensors[name] = tensor.Ref{}
		}
		l := NewLoader(&checkpoint.Checkpoint{Tensors: tensors}, "test")
		l.Unwrap([]string{"v.conv"}, []string{"scale"})
		got := fmt.Sprint(strings.Join(l.Names(), " "), " ", l.Notes())
		if l.Err() != nil {
			got = l.Err().Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.names, got, c.want)
		}
		if len(tensors) != len(strings.Fields(c.names)) {
			t.Errorf("%s: the checkpoint itself was changed", c.names)
		}
	}
}
