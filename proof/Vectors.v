(** * Sums, dot products, the Euclidean norm

    A vector is a function from indices to reals of which the first n entries are read; n is arbitrary. *)
From Coq Require Import Reals Lra Lia Arith.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.

(** ** Sums and dot products *)

Fixpoint sum (n : nat) (f : nat -> R) : R :=
  match n with O => 0 | S k => sum k f + f k end.

Definition dot (n : nat) (u v : nat -> R) : R := sum n (fun j => u j * v j).

Definition norm (n : nat) (u : nat -> R) : R := sqrt (dot n u u).

(** [set w j t] is the vector w with its entry j replaced by t. *)
Definition set (w : nat -> R) (j : nat) (t : R) : nat -> R :=
  fun i => if Nat.eq_dec i j then t else w i.

Lemma sum_ext n f g : (forall i, (i < n)%nat -> f i = g i) -> sum n f = sum n g.
Proof. induction n as [|n IH]; intros H; simpl; [reflexivity|]. rewrite IH, H; auto. Qed.

Lemma sum_plus n f g : sum n (fun i => f i + g i) = sum n f + sum n g.
Proof. induction n as [|n IH]; simpl; [ring|rewrite IH; ring]. Qed.

Lemma sum_scal n c f : sum n (fun i => c * f i) = c * sum n f.
Proof. induction n as [|n IH]; simpl; [ring|rewrite IH; ring]. Qed.

Lemma sum_le n f g : (forall i, (i < n)%nat -> f i <= g i) -> sum n f <= sum n g.
Proof. induction n as [|n IH]; intros H; simpl; [lra|]. apply Rplus_le_compat; auto. Qed.

Lemma sum_0 n : sum n (fun _ => 0) = 0.
Proof. induction n as [|n IH]; simpl; [reflexivity|rewrite IH; ring]. Qed.

Lemma sum_nonneg n f : (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= sum n f.
Proof. intros H. rewrite <- (sum_0 n). apply sum_le; auto. Qed.

Lemma sum_swap m n (F : nat -> nat -> R) :
  sum m (fun i => sum n (fun j => F i j)) = sum n (fun j => sum m (fun i => F i j)).
Proof.
  induction m as [|m IH]; simpl; [symmetry; apply sum_0|].
  rewrite IH, <- sum_plus. apply sum_ext; auto.
Qed.

Lemma sum_is_derive n (F : nat -> R -> R) (F' : nat -> R) t :
  (forall i, (i < n)%nat -> is_derive (F i) t (F' i)) ->
  is_derive (fun s => sum n (fun i => F i s)) t (sum n F').
Proof.
  induction n as [|n IH]; intros H; simpl; [apply (is_derive_const 0)|].
  apply (is_derive_plus (fun s => sum n (fun i => F i s)) (F n)); auto.
Qed.

(** Replacing one entry changes one term of a sum. *)
Lemma sum_set n (f : nat -> R -> R) w j t : (j < n)%nat ->
  sum n (fun i => f i (set w j t i)) = sum n (fun i => f i (w i)) + (f j t - f j (w j)).
Proof.
  unfold set. induction n as [|n IH]; intros H; [lia|]. simpl.
  destruct (Nat.eq_dec n j) as [->|E]; [|rewrite IH by lia; ring].
  rewrite (sum_ext j _ (fun i => f i (w i))); [ring|].
  intros i Hi. destruct (Nat.eq_dec i j); [lia|reflexivity].
Qed.

(** The one fact about w.x that the derivation needs: it is affine in w_j, with slope x_j. *)
Lemma dot_set n w x j t : (j < n)%nat -> dot n (set w j t) x = dot n w x + (t - w j) * x j.
Proof. intros H. unfold dot. rewrite (sum_set n (fun i v => v * x i)) by exact H. ring. Qed.

Lemma dot_set_same n w x j : (j < n)%nat -> dot n (set w j (w j)) x = dot n w x.
Proof. intros H. rewrite dot_set by exact H. ring. Qed.

Lemma dot_comm n u v : dot n u v = dot n v u.
Proof. apply sum_ext; intros; ring. Qed.

Lemma dot_lin n p u q v x : dot n (fun i => p * u i + q * v i) x = p * dot n u x + q * dot n v x.
Proof. unfold dot. rewrite <- !sum_scal, <- sum_plus. apply sum_ext; intros; ring. Qed.

Lemma dot_minus n u v x : dot n (fun i => u i - v i) x = dot n u x - dot n v x.
Proof.
  transitivity (dot n (fun i => 1 * u i + -1 * v i) x); [apply sum_ext; intros; ring|].
  rewrite dot_lin. ring.
Qed.

Lemma dot_nonneg n u : 0 <= dot n u u.
Proof. apply sum_nonneg; intros i _. generalize (pow2_ge_0 (u i)); lra. Qed.

Lemma norm_nonneg n u : 0 <= norm n u.
Proof. apply sqrt_pos. Qed.

Lemma norm_sqr n u : norm n u * norm n u = dot n u u.
Proof. apply sqrt_sqrt, dot_nonneg. Qed.

Lemma dot_comb n p u q v :
  dot n (fun i => p * u i + q * v i) (fun i => p * u i + q * v i)
  = p * p * dot n u u + 2 * (p * q) * dot n u v + q * q * dot n v v.
Proof. unfold dot. rewrite <- !sum_scal, <- !sum_plus. apply sum_ext; intros; ring. Qed.

Theorem cauchy_schwarz n u v : Rabs (dot n u v) <= norm n u * norm n v.
Proof.
  unfold norm. rewrite <- sqrt_mult by apply dot_nonneg.
  rewrite <- sqrt_Rsqr_abs. apply sqrt_le_1_alt. rewrite Rsqr_pow2.
  assert (K : forall p q, 0 <= p * p * dot n u u + 2 * (p * q) * dot n u v + q * q * dot n v v)
    by (intros p q; rewrite <- dot_comb; apply dot_nonneg).
  generalize (dot_nonneg n u) (dot_nonneg n v); revert K.
  generalize (dot n u v) (dot n u u) (dot n v v); intros A P Q K HP HQ.
  destruct HQ as [HQ|<-].
  - generalize (K Q (- A)); intros E. assert (0 <= Q * (P * Q - A ^ 2)) by lra. nra.
  - generalize (K A (- (P + 1))) (K 1 (- A * (P + 1))); intros E F. nra.
Qed.
