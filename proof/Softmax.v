(** * K classes: softmax *)
From Coq Require Import Reals Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
From Crossent Require Import Vectors Gradient.
Open Scope R_scope.

Section Softmax.
  Variables (K : nat) (y : nat -> R).
  Hypothesis Hy : sum K y = 1.

  Definition softmax (z : nat -> R) (k : nat) : R := exp (z k) / sum K (fun i => exp (z i)).
  Definition softmax_cross_entropy (z : nat -> R) : R := - sum K (fun k => y k * ln (softmax z k)).

  Lemma sum_exp_pos z k : (k < K)%nat -> 0 < sum K (fun i => exp (z i)).
  Proof.
    intros H. rewrite (sum_ext K _ (fun i => exp (set z k (z k) i))).
    - rewrite (sum_set K (fun _ t => exp t) z k (z k) H).
      destruct K as [|n]; [lia|]. simpl. generalize (exp_pos (z n)) (sum_nonneg n (fun i => exp (z i))).
      intros P Q. generalize (Q (fun i _ => Rlt_le _ _ (exp_pos (z i)))). lra.
    - intros i _. unfold set. destruct (Nat.eq_dec i k) as [->|]; reflexivity.
  Qed.

  (** L = log sum exp(z) - y.z, for labels that sum to one *)
  Theorem softmax_stable z : softmax_cross_entropy z = ln (sum K (fun i => exp (z i))) - dot K y z.
  Proof.
    transitivity (- sum K (fun k => y k * z k + - ln (sum K (fun i => exp (z i))) * y k)).
    - unfold softmax_cross_entropy. f_equal. apply sum_ext; intros k H. unfold softmax, Rdiv.
      rewrite ln_mult, ln_exp, ln_Rinv;
        [ring|exact (sum_exp_pos z k H)|apply exp_pos|apply Rinv_0_lt_compat, (sum_exp_pos z k H)].
    - rewrite sum_plus, sum_scal, Hy. unfold dot. ring.
  Qed.

  (** dL/dz_k = p_k - y_k *)
  Theorem softmax_residual z k : (k < K)%nat ->
    is_derive (fun t => softmax_cross_entropy (set z k t)) (z k) (softmax z k - y k).
  Proof.
    intros H. generalize (sum_exp_pos z k H); intros HS.
    apply (is_derive_ext (fun t => ln (sum K (fun i => exp (z i)) + (exp t - exp (z k))) - (dot K z y + (t - z k) * y k))).
    - intros t. rewrite softmax_stable, (dot_comm K y), dot_set by exact H.
      rewrite (sum_set K (fun _ => exp)) by exact H. reflexivity.
    - unfold softmax. revert HS. generalize (sum K (fun i => exp (z i))). intros S HS.
      auto_derive; [lra|]. field; lra.
  Qed.

  Lemma softmax_cross_entropy_ext u v :
    (forall i, u i = v i) -> softmax_cross_entropy u = softmax_cross_entropy v.
  Proof.
    intros H. unfold softmax_cross_entropy, softmax. f_equal. apply sum_ext; intros k _.
    rewrite H, (sum_ext K _ (fun i => exp (v i))); [reflexivity|]. intros; rewrite H; reflexivity.
  Qed.

  (** dL/dw_kj = (p_k - y_k) x_j *)
  Theorem softmax_gradient n x (W : nat -> nat -> R) (b : nat -> R) k j : (k < K)%nat -> (j < n)%nat ->
    let z := fun i => dot n (W i) x + b i in
    is_derive (fun t => softmax_cross_entropy (fun i => dot n (if Nat.eq_dec i k then set (W k) j t else W i) x + b i))
              (W k j) ((softmax z k - y k) * x j).
  Proof.
    intros Hk Hj z.
    apply (is_derive_ext (fun t => softmax_cross_entropy (set z k (dot n (set (W k) j t) x + b k)))).
    - intros t. apply softmax_cross_entropy_ext; intros i. unfold set at 1, z.
      destruct (Nat.eq_dec i k) as [->|]; reflexivity.
    - apply (eq_4_58 (fun t => softmax_cross_entropy (set z k t)) (fun t => dot n (set (W k) j t) x + b k));
        [|apply score_is_derive_w, Hj].
      rewrite (dot_set_same n (W k) x j Hj). exact (softmax_residual z k Hk).
  Qed.

  (** Adding a number to every score changes nothing: the reason why the largest may be subtracted first. *)
  Theorem softmax_shift z c k : (k < K)%nat -> softmax (fun i => z i + c) k = softmax z k.
  Proof.
    intros H. unfold softmax. rewrite (sum_ext K _ (fun i => exp c * exp (z i)))
      by (intros; rewrite exp_plus; ring).
    rewrite sum_scal, exp_plus. generalize (sum_exp_pos z k H) (exp_pos c); intros. field. lra.
  Qed.
End Softmax.

(** Two classes: softmax is sigma of the difference of the scores. *)
Theorem softmax_two z : softmax 2 z 1 = sigma (z 1%nat - z 0%nat).
Proof.
  unfold softmax, sigma. simpl.
  replace (- (z 1%nat - z 0%nat)) with (z 0%nat + - z 1%nat) by ring. rewrite exp_plus, exp_Ropp.
  generalize (exp_pos (z 0%nat)) (exp_pos (z 1%nat)); intros. field. lra.
Qed.
