package advertise_test

import (
	"testing"

	"github.com/herald-network/herald/internal/core/advertise"
)

func TestEndpointsCountWhatCanServe(t *testing.T) {
	yes, no := new(true), new(false)
	ready := advertise.Endpoints{Ready: 1, ReadyHere: 1}
	draining := advertise.Endpoints{Draining: 1, DrainingHere: 1}
	var neither advertise.Endpoints

	rows := map[string]struct {
		conditions advertise.Conditions
		want       advertise.Endpoints
	}{
		"without conditions it is ready": {advertise.Conditions{}, ready},
		"ready":                          {advertise.Conditions{Ready: yes, Serving: yes, Terminating: no}, ready},
		"ready while terminating, as published unready addresses": {advertise.Conditions{Ready: yes, Serving: yes, Terminating: yes}, ready},
		"not ready":                                                {advertise.Conditions{Ready: no, Serving: no, Terminating: no}, neither},
		"not ready, and nothing else said":                         {advertise.Conditions{Ready: no}, neither},
		"serving but not ready and not terminating":                {advertise.Conditions{Ready: no, Serving: yes, Terminating: no}, neither},
		"serving but not ready, and nothing said about its ending": {advertise.Conditions{Ready: no, Serving: yes}, neither},
		"serving and terminating":                                  {advertise.Conditions{Ready: no, Serving: yes, Terminating: yes}, draining},
		"terminating and not serving":                              {advertise.Conditions{Ready: no, Serving: no, Terminating: yes}, neither},
		"terminating, not ready, and nothing said about serving":   {advertise.Conditions{Ready: no, Terminating: yes}, neither},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			var here, elsewhere advertise.Endpoints
			here.Add(row.conditions, true)
			elsewhere.Add(row.conditions, false)
			if here != row.want {
				t.Errorf("on this node: got %+v, want %+v", here, row.want)
			}
			row.want.ReadyHere, row.want.DrainingHere = 0, 0
			if elsewhere != row.want {
				t.Errorf("on another node: got %+v, want %+v", elsewhere, row.want)
			}
		})
	}
}
