: calcium pool whose DERIVATIVE also writes cai = ca, and BREAKPOINT holds nothing but SOLVE; derivimplicit with a pump
NEURON { SUFFIX caderiv USEION ca READ ica, cai WRITE cai RANGE ca, vpump, kpump, depth, bg }
UNITS { (mM)=(milli/liter) (mA)=(milliamp) (um)=(micron) F=(faraday)(coulombs) }
PARAMETER { depth = 0.3 (um)  vpump = 4e-4 (mM/ms)  kpump = 5e-4 (mM)  bg = 6.7e-5 (mM/ms) beta_ = 20 }
STATE { ca (mM) }
ASSIGNED { ica (mA/cm2) cai (mM) flow (mM/ms) }
INITIAL { ca = cai }
BREAKPOINT { SOLVE pool METHOD derivimplicit }
DERIVATIVE pool {
    flow = -(1e4)*ica/(2*F*depth*beta_)
    ca' = flow + bg/beta_*0.5 - (vpump/beta_)*ca/(ca + kpump)
    cai = ca
}
