(** * The derivation of the textbook: equations (4.56) to (4.61)

    [is_derive f t d] says that f is differentiable at t and that its derivative there is d.
    The label y is an arbitrary real number: soft labels are covered.                           *)
From Coq Require Import Reals Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
From Crossent Require Import Vectors.
Open Scope R_scope.

(** ** The three tools: (4.56), (4.57), (4.58) *)

Definition sigma (z : R) : R := 1 / (1 + exp (- z)).

Lemma one_plus_exp_pos z : 0 < 1 + exp z.
Proof. generalize (exp_pos z); lra. Qed.

(** The condition that makes every division and every logarithm below legal. *)
Theorem sigma_bounds z : 0 < sigma z < 1.
Proof.
  unfold sigma. generalize (exp_pos (- z)); intros H.
  split; [apply Rdiv_lt_0_compat|apply Rlt_div_l]; lra.
Qed.

(** (4.56)  d/dx ln x = 1/x *)
Theorem eq_4_56 x : 0 < x -> is_derive ln x (1 / x).
Proof. intros H. auto_derive; [exact H|field; lra]. Qed.

(** (4.57)  d sigma(z) / dz = sigma(z) (1 - sigma(z)) *)
Theorem eq_4_57 z : is_derive sigma z (sigma z * (1 - sigma z)).
Proof.
  generalize (one_plus_exp_pos (- z)); intros H. unfold sigma. auto_derive; [lra|field; lra].
Qed.

(** (4.58)  f(x) = u(v(x)):  df/dx = du/dv . dv/dx *)
Theorem eq_4_58 (u v : R -> R) x du dv :
  is_derive u (v x) du -> is_derive v x dv -> is_derive (fun x => u (v x)) x (du * dv).
Proof. intros Hu Hv. rewrite Rmult_comm. exact (is_derive_comp u v x du dv Hu Hv). Qed.

(** ** The derivation, line by line: (4.59), (4.60), (4.61) *)

(** L = -[ y ln p + (1 - y) ln (1 - p) ],  and the loss of one example, p = sigma(w.x + b) *)
Definition cross_entropy (y p : R) : R := - (y * ln p + (1 - y) * ln (1 - p)).
Definition loss (n : nat) (x : nat -> R) (y : R) (w : nat -> R) (b : R) : R :=
  cross_entropy y (sigma (dot n w x + b)).

(** The weight w_j, or the bias, is the variable t; z(t) = w.x + b seen as a function of it. Each theorem
    reads: if the derivatives on the right of the line exist, the line is the derivative of the loss.     *)
Section Lines.
  Variables (y : R) (z : R -> R) (t : R).
  Let p (t : R) : R := sigma (z t).
  Let L (t : R) : R := cross_entropy y (p t).
  Let s := p t.

  (** (4.59)  a derivative of a sum is the sum of the derivatives *)
  Theorem eq_4_59 d1 d2 :
    is_derive (fun t => y * ln (p t)) t d1 ->
    is_derive (fun t => (1 - y) * ln (1 - p t)) t d2 ->
    is_derive L t (- (d1 + d2)).
  Proof.
    intros H1 H2. unfold L, cross_entropy.
    apply (is_derive_opp (fun t => y * ln (p t) + (1 - y) * ln (1 - p t))).
    exact (is_derive_plus _ _ t d1 d2 H1 H2).
  Qed.

  (** (4.60)  the chain rule (4.58) with the logarithm's (4.56) *)
  Theorem eq_4_60 dp dq :
    is_derive p t dp -> is_derive (fun t => 1 - p t) t dq ->
    is_derive L t (- (y / s) * dp - (1 - y) / (1 - s) * dq).
  Proof.
    intros Hp Hq. generalize (sigma_bounds (z t)); intros H. evar_last.
    - apply eq_4_59; apply is_derive_scal.
      + apply (eq_4_58 ln p); [apply eq_4_56, H|exact Hp].
      + apply (eq_4_58 ln (fun t => 1 - p t)); [apply eq_4_56; unfold p; lra|exact Hq].
    - change (sigma (z t)) with s in H. change (p t) with s. field; lra.
  Qed.

  (** (between)  collecting terms: d(1 - sigma) = - d sigma *)
  Theorem eq_between dp :
    is_derive p t dp -> is_derive L t (- (y / s - (1 - y) / (1 - s)) * dp).
  Proof.
    intros Hp. evar_last.
    - apply eq_4_60; [exact Hp|]. apply (is_derive_minus (fun _ => 1) p); [apply is_derive_const|exact Hp].
    - unfold minus, plus, opp, zero; simpl. ring.
  Qed.

  (** (4.61) line 1  common denominator; (4.57) and (4.58) *)
  Theorem eq_4_61_line1 dz :
    is_derive z t dz -> is_derive L t (- ((y - s) / (s * (1 - s))) * (s * (1 - s)) * dz).
  Proof.
    intros Hz. generalize (sigma_bounds (z t)); change (sigma (z t)) with s; intros H. evar_last.
    - apply eq_between. apply (eq_4_58 sigma z); [apply eq_4_57|exact Hz].
    - change (sigma (z t)) with s. field; lra.
  Qed.
End Lines.

(** d(w.x + b)/dw_j = x_j  and  d(w.x + b)/db = 1 *)
Lemma score_is_derive_w n w x b j t : (j < n)%nat ->
  is_derive (fun t => dot n (set w j t) x + b) t (x j).
Proof.
  intros H. apply (is_derive_ext (fun t => dot n w x + (t - w j) * x j + b)).
  - intros u. rewrite dot_set by exact H. reflexivity.
  - auto_derive; [exact I|ring].
Qed.

Lemma score_is_derive_b n w x b : is_derive (fun t => dot n w x + t) b 1.
Proof. auto_derive; [exact I|ring]. Qed.

Section Weight.
  Variables (n : nat) (x : nat -> R) (y : R) (w : nat -> R) (b : R) (j : nat).
  Hypothesis Hj : (j < n)%nat.
  Let s := sigma (dot n w x + b).

  (** (4.61) line 2  d(w.x + b)/dw_j = x_j *)
  Theorem eq_4_61_line2 :
    is_derive (fun t => loss n x y (set w j t) b) (w j) (- ((y - s) / (s * (1 - s))) * (s * (1 - s)) * x j).
  Proof.
    unfold s. rewrite <- (dot_set_same n w x j Hj).
    apply (eq_4_61_line1 y (fun t => dot n (set w j t) x + b)), score_is_derive_w, Hj.
  Qed.

  (** (4.61) line 3  cancellation, legal because 0 < sigma < 1 *)
  Theorem eq_4_61_line3 : is_derive (fun t => loss n x y (set w j t) b) (w j) (- (y - s) * x j).
  Proof.
    evar_last; [exact eq_4_61_line2|]. generalize (sigma_bounds (dot n w x + b)); fold s; intros H.
    field; lra.
  Qed.

  (** (4.61) line 4  sign:  dL/dw_j = [ sigma(w.x + b) - y ] x_j *)
  Theorem eq_4_61_line4 : is_derive (fun t => loss n x y (set w j t) b) (w j) ((s - y) * x j).
  Proof. evar_last; [exact eq_4_61_line3|]. ring. Qed.
End Weight.

(** ** The gradient of one example, for every weight and the bias *)

Theorem gradient_w n x y w b j : (j < n)%nat ->
  is_derive (fun t => loss n x y (set w j t) b) (w j) ((sigma (dot n w x + b) - y) * x j).
Proof. apply eq_4_61_line4. Qed.

Theorem gradient_b n x y w b :
  is_derive (fun t => loss n x y w t) b (sigma (dot n w x + b) - y).
Proof.
  generalize (sigma_bounds (dot n w x + b)); intros H. evar_last.
  - apply (eq_4_61_line1 y (fun t => dot n w x + t)), score_is_derive_b.
  - field; lra.
Qed.
