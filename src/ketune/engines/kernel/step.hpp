// The time step of a block of lanes, and its adjoint. What the mechanisms do stands in the printed functions `currents`
// and `states` and their adjoints; here is what every cell shares.
//
// Nodes are numbered from the tips to the root, so that a parent follows its children. One pass up the tree linearises
// the currents and eliminates (Hines 1984); one pass down substitutes back, moves the voltage and advances the states.
// What a node needs is then in the core's registers, and waiting for a division is filled with work on other nodes.
// The numbers that a pass reads lie in the order in which it reads them.

struct Stream {
    const real* constants;
    const V* by_lane;           // constants that differ between lanes
    const int32_t* table_of;    // where the rates' tables begin
    V* sums;                    // what the adjoint collects
};

struct Cursor {
    const real* c;
    const V* by_lane;
    const int32_t* table_of;
    V* sums;
    const real* tables;
    V* s;                       // states, and their adjoints
    V* sb;
    V* node;                    // the node's first states (there are the ions), their adjoints, and after the step
    V* node_b;
    const V* node_after;
};

struct Task {
    int64_t n_nodes, n_steps, n_states;
    const int32_t* parent;          // [n_nodes]
    const uint64_t* present;        // [n_nodes], a bit for each placement
    const int32_t* first_state;     // [n_nodes + 1], of the node's states
    const int32_t* state_of;        // [N_PLACEMENTS][n_nodes], of the placement's states, or -1
    const real* coupling;           // [n_nodes], uS to the parent
    const real* fixed_diagonal;     // [n_nodes], uS
    Stream up, down;
    const real* tables;
    const real* jump;               // [n_states][JUMP_LANES], what an event adds
    V* memory;                      // voltages [n_nodes], then states
    V* work;                        // [5][n_nodes]
    const int64_t* event_first;     // [n_steps + 1]
    const int32_t* event_node;
    const int32_t* event_lane;
    const int32_t* event_port;
    const double* event_weight;
    const V* injected;              // [n_steps], nA into the root, or null
    double updates;                 // times the solution is added: 2 in second-order stepping
    int64_t n_recorded;
    const int64_t* recorded;        // offsets in `memory`
    int64_t first_step, stride;     // 0: record nothing
    V* trace;                       // [samples][n_recorded]
    double threshold;
    int32_t* above;                 // [W]
    int32_t* spike_step;
    int32_t* spike_lane;
    V* tape;                        // [n_steps][n_nodes + n_states + n_nodes], or null
};

struct Reverse {
    Task forward;                   // `memory`: as it was after the last step
    Stream up, down;
    const V* cotangent;             // [n_steps][n_recorded], of the recorded values after each step
    V* adjoint;                     // [n_nodes + n_states], of `memory`; in and out
    double* event_weight;           // of each event
    V* jump;                        // [n_states], summed, or null
};

INLINE Cursor at_begin(const Stream& stream, const Task& task) {
    return Cursor{stream.constants, stream.by_lane, stream.table_of, stream.sums, task.tables};
}

// An adjoint goes through the placements of a node from the last to the first.
INLINE void at_node(Cursor& q, const Task& task, V* s, V* sb, const V* after, int64_t i) {
    const int64_t first = task.first_state[i], end = task.first_state[i + 1];
    q.node = s + first;
    q.node_b = sb + first;
    q.node_after = after + first;
    q.s = s + end;
    q.sb = sb + end;
}

INLINE void quiet_denormals(bool on) {
#ifdef __SSE__
    // Synaptic states decay without end; arithmetic on denormal numbers would take a hundred times as long.
    static thread_local unsigned before;
    if (on) before = _mm_getcsr();
    _mm_setcsr(on ? before | 0x8040 : before);
#endif
}

INLINE real jump_of(const Task& task, int64_t state, int lane) {
    return task.jump[JUMP_LANES == 1 ? state : state * W + lane];
}

// PRINTED

extern "C" int64_t lanes() { return W; }

extern "C" int64_t advance(const Task* given) {
    const Task task = *given;
    const int64_t n = task.n_nodes, size = n + task.n_states;
    V* const v = task.memory;
    V* const s = task.memory + n;
    V *d = task.work, *r = d + n, *w = r + n, *x = w + n, *inv = x + n;
    const real updates = real(task.updates), threshold = real(task.threshold);
    int64_t n_spikes = 0;
    V* trace = task.trace;
    V* tape = task.tape;
    quiet_denormals(true);
    for (int64_t i = 0; i < n; ++i) { d[i] = splat(task.fixed_diagonal[i]); r[i] = V{}; }
    for (int64_t step = 0; step < task.n_steps; ++step) {
        int64_t e = task.event_first[step];
        const int64_t last = task.event_first[step + 1];
        Cursor up = at_begin(task.up, task);
        for (int64_t i = 0; i < n; ++i) {
            for (; e < last && task.event_node[e] == i; ++e)
                deliver(task, s, i, task.event_port[e], task.event_lane[e], real(task.event_weight[e]));
            V di = d[i], ri = r[i];
            up.s = up.node = s + task.first_state[i];
            currents(up, task.present[i], v[i], di, ri);
            if (i == n - 1) {
                if (task.injected) ri += task.injected[step];
                inv[i] = inverse(di);
                x[i] = ri * inv[i];
                break;
            }
            const int64_t parent = task.parent[i];
            const real g = task.coupling[i];
            const V flow = g * (v[parent] - v[i]);
            ri += flow;
            const V own = inverse(di);
            const V wi = g * own;
            d[parent] -= wi * g;
            r[parent] += wi * ri - flow;
            x[i] = ri * own;
            w[i] = wi;
            inv[i] = own;
        }
        if (tape) {
            std::memcpy(tape, task.memory, size * sizeof(V));
            std::memcpy(tape + size, inv, n * sizeof(V));
            tape += size + n;
        }
        Cursor down = at_begin(task.down, task);
        for (int64_t i = n - 1; i >= 0; --i) {
            if (i < n - 1) x[i] += w[i] * x[task.parent[i]];
            const V vi = v[i] + updates * x[i];
            v[i] = vi;
            down.s = down.node = s + task.first_state[i];
            states(down, task.present[i], vi, x[i]);
            d[i] = splat(task.fixed_diagonal[i]);
            r[i] = V{};
        }
        const V soma = v[n - 1];
        for (int l = 0; l < W; ++l) {
            const int32_t now = soma[l] >= threshold;
            if (now && !task.above[l]) {
                task.spike_step[n_spikes] = int32_t(task.first_step + step + 1);
                task.spike_lane[n_spikes++] = l;
            }
            task.above[l] = now;
        }
        if (task.stride > 0 && (task.first_step + step + 1) % task.stride == 0)
            for (int64_t k = 0; k < task.n_recorded; ++k) *trace++ = task.memory[task.recorded[k]];
    }
    quiet_denormals(false);
    return n_spikes;
}

#ifdef ADJOINT
// From the last step to the first. The tree's matrix is symmetric, so the adjoint of a solution is the same
// elimination, whose pivots the tape holds.
extern "C" void reverse(const Reverse* given) {
    const Reverse back = *given;
    const Task task = back.forward;
    const int64_t n = task.n_nodes, size = n + task.n_states;
    V* const bar = back.adjoint;
    V* const sb = bar + n;
    V *r = task.work, *w = r + n, *y = w + n;
    const real updates = real(task.updates), per_update = real(1) / updates;
    quiet_denormals(true);
    const V* after = task.memory;
    for (int64_t i = 0; i < n; ++i) r[i] = V{};
    for (int64_t step = task.n_steps - 1; step >= 0; --step) {
        V* const before = task.tape + step * (size + n);
        V* const s = before + n;
        const V* const inv = before + size;
        for (int64_t k = 0; k < task.n_recorded; ++k)
            bar[task.recorded[k]] += back.cotangent[step * task.n_recorded + k];
        Cursor up = at_begin(back.up, task);
        for (int64_t i = 0; i < n; ++i) {
            at_node(up, task, s, sb, after + n, i);
            V b = bar[i], xb = V{};
            states_adjoint(up, task.present[i], after[i], (after[i] - before[i]) * per_update, b, xb);
            bar[i] = b;
            const V ri = r[i] + updates * b + xb;
            r[i] = V{};
            y[i] = ri * inv[i];
            if (i < n - 1) {
                w[i] = task.coupling[i] * inv[i];
                r[task.parent[i]] += w[i] * ri;
            }
        }
        int64_t e = task.event_first[step + 1];
        const int64_t first = task.event_first[step];
        Cursor down = at_begin(back.down, task);
        for (int64_t i = n - 1; i >= 0; --i) {
            if (i < n - 1) {
                const int64_t parent = task.parent[i];
                y[i] += w[i] * y[parent];
                const V flow = task.coupling[i] * (y[i] - y[parent]);
                bar[i] -= flow;
                bar[parent] += flow;
            }
            at_node(down, task, s, sb, after + n, i);
            V b = bar[i];
            currents_adjoint(down, task.present[i], before[i], -y[i], -y[i] * (after[i] - before[i]) * per_update, b);
            bar[i] = b;
            for (; e > first && task.event_node[e - 1] == i; --e)
                back.event_weight[e - 1] = deliver_adjoint(
                    task, back, i, task.event_port[e - 1], task.event_lane[e - 1], real(task.event_weight[e - 1]));
        }
        after = before;
    }
    quiet_denormals(false);
}
#endif
